"""Waiting for a session to change: the long poll and the event stream."""

import json
import time
from collections.abc import Iterator

from flask import Blueprint, Response, request

from gateway.store.tokens import Scope
from gateway.web import views
from gateway.web.auth import Authenticator
from gateway.web.services import Services

# Seconds. A stream ends by itself, so that a deploy need not cut it; its client comes back.
STREAM_LASTS = 300.0
_BEAT = 15.0


def wait_for_change(services: Services, session_id: str, known: str, seconds: float) -> str:
    """The ETag of a session once it is no longer `known`, or after `seconds`. Raises NotFound."""
    end = time.monotonic() + seconds
    with services.changes.listen(session_id) as changed:
        # From here on no change is missed; one may have come just before.
        while True:
            changed.clear()
            tag = views.current_etag(services.runtime, session_id)
            left = end - time.monotonic()
            if tag != known or left <= 0:
                return tag
            changed.wait(left)


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("waiting", __name__)

    @routes.get("/sessions/<session_id>/stream")
    @auth.require(Scope.READ)
    def stream(session_id: str) -> Response:
        """Server-sent events: the session now, and again at each change."""
        services.runtime.sessions.peek(session_id)
        known = request.headers.get("Last-Event-ID", "")
        events = _events(services, session_id, known)
        answer = Response(events, content_type="text/event-stream")
        answer.headers["X-Accel-Buffering"] = "no"
        return answer

    return routes


def _events(services: Services, session_id: str, known: str) -> Iterator[str]:
    """Events until the stream has lasted long enough; comments in between keep it alive."""
    end = time.monotonic() + STREAM_LASTS
    tag = f'"{known}"'
    while time.monotonic() < end:
        found = wait_for_change(services, session_id, tag, min(_BEAT, end - time.monotonic()))
        if found == tag:
            yield ": still here\n\n"
            continue
        [session] = views.seen(services.runtime, [services.runtime.sessions.get(session_id)])
        # The record may be newer than the tag that woke us: it is told under its own.
        tag = views.etag_of(session)
        body = json.dumps(views.shown(session))
        yield f"id: {tag.strip(chr(34))}\nevent: session\ndata: {body}\n\n"
