"""A stand-in for providers' APIs on loopback: what the gateway asks back when it is simulated."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import click

from providers.simulator import ApiCall

HOST = "127.0.0.1"
PORT = 8089
"""Where `gateway run` looks for it."""

_PATIENCE = 30.0


class StandIn:
    """Answers each call of a simulated delivery as its provider's API would."""

    def __init__(self, calls: Sequence[ApiCall]) -> None:
        self._lock = threading.Lock()
        self._answers = {_place(call.method, call.url): call for call in calls}
        self._unasked = set(self._answers)
        self._all_asked = threading.Event()

    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        place = _place(method, path)
        with self._lock:
            self._unasked.discard(place)
            if not self._unasked:
                self._all_asked.set()
        call = self._answers.get(place)
        return (call.status, call.body) if call else (404, b'{"error": "not simulated"}')

    def wait(self) -> bool:
        """Whether every call was made in time."""
        return self._all_asked.wait(_PATIENCE)


@contextmanager
def serving(calls: Sequence[ApiCall], port: int) -> Iterator[StandIn]:
    """Serves the answers on loopback. Raises ClickException if the port is taken."""
    stand_in = StandIn(calls)
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(stand_in))
    except OSError as error:
        raise click.ClickException(
            f"Port {port} of the stand-in API cannot be used ({error.strerror}); is another "
            "simulation under way?"
        ) from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            status, body = stand_in.answer(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """What is asked is told by the gateway's own log."""

    return Handler


def _place(method: str, url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    return method, parts.path, parts.query
