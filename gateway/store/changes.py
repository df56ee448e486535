"""Hearing of changes: one subscription a process, however many wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from gateway.store import keys

# Seconds. A silent connection is probed; a lost one is made anew after a pause.
_POLL = 1.0
_PAUSE = 0.2


class Changes:
    """Wakes those who wait for a session.

    A wake-up says "look again", not what changed, so one too many does no harm: after each gap in
    the subscription everybody looks again, and nobody misses what fell into it.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._waiting: dict[str, set[threading.Event]] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @contextmanager
    def listen(self, session_id: str) -> Iterator[threading.Event]:
        """An event that is set whenever the session may have changed.

        Look at the session after entering, clear the event before each further look.
        """
        event = threading.Event()
        with self._lock:
            self._waiting.setdefault(session_id, set()).add(event)
            self._start()
        try:
            yield event
        finally:
            with self._lock:
                events = self._waiting[session_id]
                events.discard(event)
                if not events:
                    del self._waiting[session_id]

    def close(self) -> None:
        """Ends the subscription; those who wait look once more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self._wake_all()

    def _start(self) -> None:
        if self._thread is None:
            # Nobody waits for it at the process's end: it holds nothing.
            self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with self._client.pubsub() as subscription:  # type: ignore[no-untyped-call]
                    subscription.subscribe(keys.CHANGES)
                    self._pass_on(subscription)
            except (RedisError, OSError):
                self._wake_all()
                self._closed.wait(_PAUSE)

    def _pass_on(self, subscription: PubSub) -> None:
        while not self._closed.is_set():
            message = subscription.get_message(timeout=_POLL)
            if message is None:
                continue
            if message["type"] == "message":
                self._wake(message["data"].decode().partition(" ")[0])
            elif message["type"] == "subscribe":
                self._wake_all()

    def _wake(self, session_id: str) -> None:
        with self._lock:
            events = tuple(self._waiting.get(session_id, ()))
        for event in events:
            event.set()

    def _wake_all(self) -> None:
        with self._lock:
            events = [event for waiting in self._waiting.values() for event in waiting]
        for event in events:
            event.set()
