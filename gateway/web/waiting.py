"""Waiting for a session to change: the long poll and the event stream."""

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Blueprint, Response, request

from gateway.store.tokens import Scope
from gateway.web import views
from gateway.web.auth import Authenticator
from gateway.web.services import Services

# Each waiter holds a thread of the server, which has 512: the rest of them is for the others.
MAX_WAITERS = 500
# Seconds. A stream ends by itself, so that a deploy need not cut it; its client comes back.
STREAM_LASTS = 300.0
_BEAT = 15.0
_STRIPES = 64
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Look:
    """A session as it was shown at some moment (monotonic seconds)."""

    begun: float
    tag: str
    body: bytes


class Waiting:
    """Lets callers wait for changes of sessions; those who are told of one look at it together."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._places = threading.BoundedSemaphore(MAX_WAITERS)
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._looks: dict[str, Look] = {}
        services.changes.look_first(lambda session_id: self._look_since(session_id, math.inf))

    def wait(self, session_id: str, known: str, seconds: float) -> Look:
        """The session once its ETag is no longer `known`, or after `seconds`. Raises NotFound.

        With too many waiters already it does not wait: the caller polls then, as without `wait`.
        """
        with self._a_place() as taken:
            return self._wait(session_id, known, seconds if taken else 0.0)

    def events(self, session_id: str, known: str) -> Iterator[str]:
        """Server-sent events for STREAM_LASTS seconds; comments in between keep it alive."""
        with self._a_place() as taken:
            if not taken:
                yield "retry: 5000\n\n"  # milliseconds: a browser comes back by itself
                return
            end = time.monotonic() + STREAM_LASTS
            while time.monotonic() < end:
                look = self._wait(session_id, known, min(_BEAT, end - time.monotonic()))
                if look.tag == known:
                    yield ": still here\n\n"
                else:
                    known, data = look.tag, look.body.decode()
                    yield f"id: {known.strip(chr(34))}\nevent: session\ndata: {data}\n\n"

    def _wait(self, session_id: str, known: str, seconds: float) -> Look:
        end = time.monotonic() + seconds
        with self._services.changes.listen(session_id) as listener:
            # From here on no change is missed; one may have come just before.
            look = self._look_since(session_id, time.monotonic())
            while look.tag == known and listener.wait(end - time.monotonic()):
                look = self._look_since(session_id, listener.told_at)
            return look

    def _look_since(self, session_id: str, moment: float) -> Look:
        """A look that was begun at `moment` or later: one serves all who were told together."""
        look = self._looks.get(session_id)
        if look is not None and look.begun >= moment:
            return look
        with self._stripes[hash(session_id) % _STRIPES]:
            look = self._looks.get(session_id)
            if look is None or look.begun < moment:
                look = self._look(session_id)
                if len(self._looks) >= _KEPT:
                    self._looks.clear()
                self._looks[session_id] = look
            return look

    def _look(self, session_id: str) -> Look:
        begun, runtime = time.monotonic(), self._services.runtime
        [session] = views.seen(runtime, [runtime.sessions.get(session_id)])
        return Look(begun, views.etag_of(session), json.dumps(views.shown(session)).encode())

    @contextmanager
    def _a_place(self) -> Iterator[bool]:
        """Whether there is room for one more waiter in this process; gives the place back."""
        taken = self._places.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._places.release()


def blueprint(services: Services, auth: Authenticator, waiting: Waiting) -> Blueprint:
    routes = Blueprint("waiting", __name__)

    @routes.get("/sessions/<session_id>/stream")
    @auth.require(Scope.READ)
    def stream(session_id: str) -> Response:
        """Server-sent events: the session now, and again at each change."""
        services.runtime.sessions.glance(session_id)
        known = f'"{request.headers.get("Last-Event-ID", "")}"'
        answer = Response(waiting.events(session_id, known), content_type="text/event-stream")
        answer.headers["X-Accel-Buffering"] = "no"
        return answer

    return routes
