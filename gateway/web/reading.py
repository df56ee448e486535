"""Reading a body: its exact bytes, of limited length, and in limited time.

The server has no time-out for bodies, and a thread that waits for a stranger's next byte cannot be
woken. So a watch looks after all that are being read, and cuts the connections of who is too slow:
that ends the reading.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout

# Seconds that a body may take; less while many are read, so that they do not take all threads.
PATIENCE, HASTE = 10.0, 2.0
MANY = 128
_LOOK = 0.5
_CHUNK = 64 * 1024
# Linux's struct tcp_info: milliseconds since something was last sent.
_LAST_SENT = 44


@dataclass(slots=True, eq=False)
class _Reading:
    """One body under way."""

    address: str
    began: float
    cut: bool = False


class BodyReader:
    """Reads the bodies of one process's requests."""

    def __init__(self) -> None:
        self._readings: set[_Reading] = set()
        self._lock = threading.Lock()
        self._watch: threading.Thread | None = None

    def read(
        self, read: Callable[[int], bytes], limit: int, told: int | None, address: str
    ) -> bytes:
        """What `read` gives, all of it. `told` is the length that was promised; None: chunked.

        Raises RequestEntityTooLarge (before it reads, if that was told), RequestTimeout, and
        BadRequest if the sender went away in the middle.
        """
        if told == 0:
            return b""
        if told is not None and told > limit:
            raise _too_large(limit)
        reading = _Reading(address, time.monotonic())
        self._begin(reading)
        try:
            body = _read_all(read, limit)
        finally:
            with self._lock:
                self._readings.discard(reading)
        if reading.cut:
            raise RequestTimeout("The body took too long to come.")
        if told is not None and len(body) < told:
            raise BadRequest("The body ended before its Content-Length.")
        return body

    def _begin(self, reading: _Reading) -> None:
        with self._lock:
            self._readings.add(reading)
            # Not before: a server forks after the application was made.
            if self._watch is None:
                self._watch = threading.Thread(target=self._look, daemon=True, name="bodies")
                self._watch.start()

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK)
            self.cut_slow(time.monotonic())

    def cut_slow(self, now: float) -> None:
        """Cuts off whoever has sent for too long at a body."""
        with self._lock:
            patience = PATIENCE if len(self._readings) < MANY else HASTE
            slow = [one for one in self._readings if now - one.began > patience]
        youngest: dict[str, float] = {}
        for one in slow:
            one.cut = True
            youngest[one.address] = min(now - one.began, youngest.get(one.address, now))
        for address, age in youngest.items():
            _cut(address, age - _LOOK)


def _cut(address: str, seconds: float) -> None:
    """Closes an address's connections on which we have sent nothing for so long.

    The request's own connection cannot be told from another one of that address that waits for an
    answer; whoever waits comes back.
    """
    for descriptor in Path("/proc/self/fd").iterdir():
        # Any of them may be closed meanwhile, and most are no sockets with a peer.
        with suppress(OSError, ValueError, struct.error), _socket(descriptor) as connection:
            if _peer(connection) == address and _silent(connection) >= seconds:
                connection.shutdown(socket.SHUT_RDWR)


def _socket(descriptor: Path) -> socket.socket:
    """A second handle of a socket of this process. Raises OSError if it is none."""
    return socket.socket(fileno=os.dup(int(descriptor.name)))


def _peer(connection: socket.socket) -> str:
    peer = connection.getpeername()
    # A unix socket's is a text, or bytes: the store's.
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _silent(connection: socket.socket) -> float:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    milliseconds: int = struct.unpack_from("I", info, _LAST_SENT)[0]
    return milliseconds / 1000


def _read_all(read: Callable[[int], bytes], limit: int) -> bytes:
    """A chunked body does not say before how long it is."""
    body = b""
    while chunk := read(_CHUNK):
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return body


def _too_large(limit: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"The body has more than {limit} bytes.")
