"""Providers' APIs that misbehave, on loopback, until they are told to be good."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mood(StrEnum):
    SLOW = "slow"
    ERROR = "error"
    BUSY = "busy"
    GARBAGE = "garbage"
    ENDLESS = "endless"


class Api:
    """One API: in its mood first, then it answers each path with what is known of it."""

    def __init__(self, mood: Mood) -> None:
        self.mood: Mood | None = mood
        self.answers: dict[str, bytes] = {}
        self.asked = 0
        self.sent = 0
        self.over = threading.Event()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        if self.mood is None:
            self._send(handler, 200, self.answers.get(handler.path, b"{}"))
        elif self.mood is Mood.SLOW:
            self.over.wait(25)
        elif self.mood is Mood.ERROR:
            self._send(handler, 500, b"sorry")
        elif self.mood is Mood.BUSY:
            self._send(handler, 429, b"", ("Retry-After", "3"))
        elif self.mood is Mood.GARBAGE:
            self._send(handler, 200, b'\xff{"id": NaN, [[[')
        else:
            self._send_for_ever(handler)

    def _send(self, handler, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        handler.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _send_for_ever(self, handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        chunk = b"[" * 64 * 1024
        end = time.monotonic() + 60
        while time.monotonic() < end and not self.over.is_set():
            handler.wfile.write(chunk)
            self.sent += len(chunk)


@contextmanager
def serving(api: Api, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                api.serve(self)
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *_: object) -> None:
            """Only counts matter."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        api.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
