"""Hearing of changes: one subscription a process, however many wait."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from gateway.domain.errors import GatewayError
from gateway.store import keys

# Seconds. A silent connection is probed; a lost one is made anew after a pause.
_POLL = 1.0
_PAUSE = 0.2


class Listener:
    """One who waits. A look begun after `told_at` (monotonic seconds) shows what it was told of."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.told_at = 0.0

    def tell(self, moment: float) -> None:
        self.told_at = moment
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Whether it was told within `seconds`, or since it last asked; look again if so."""
        told = self._event.wait(max(0.0, seconds))
        # Cleared before the look: a change during it is told once more.
        self._event.clear()
        return told


class Changes:
    """Wakes those who wait for a session.

    A wake-up says "look again", not what changed, so one too many does no harm: after each gap in
    the subscription everybody looks again, and nobody misses what fell into it.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._look_first: Callable[[str], object] = lambda _: None
        self._lock = threading.Lock()
        self._waiting: dict[str, set[Listener]] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def look_first(self, look: Callable[[str], object]) -> None:
        """Has one look taken for all who wait for a session, just before they are told."""
        self._look_first = look

    @contextmanager
    def listen(self, session_id: str) -> Iterator[Listener]:
        """Is told whenever the session may have changed. Look at it once after entering."""
        listener = Listener()
        with self._lock:
            self._waiting.setdefault(session_id, set()).add(listener)
            self._start()
        try:
            yield listener
        finally:
            with self._lock:
                listeners = self._waiting[session_id]
                listeners.discard(listener)
                if not listeners:
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
                with self._client.pubsub() as subscription:
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
            listeners = tuple(self._waiting.get(session_id, ()))
        if not listeners:
            return
        heard_at = time.monotonic()
        # If it fails, each of them looks for itself, and tells its caller why.
        with suppress(GatewayError):
            self._look_first(session_id)
        for listener in listeners:
            listener.tell(heard_at)

    def _wake_all(self) -> None:
        with self._lock:
            listeners = [one for waiting in self._waiting.values() for one in waiting]
        for listener in listeners:
            listener.tell(time.monotonic())
