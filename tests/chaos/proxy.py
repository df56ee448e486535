"""A TCP proxy before the store, which cuts connections and swallows replies when it is told to."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

_CHUNK = 64 * 1024


class Proxy:
    """Forwards from a port on loopback to the store's unix socket."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._to_swallow = 0
        self._trap: tuple[bytes, Callable[[], None]] | None = None
        self._passable = threading.Event()
        self._passable.set()
        self.swallowed = self.cuts = self.trapped = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.restore()
        self._close_all()

    def cut(self) -> None:
        """Cuts all connections, whatever is under way on them."""
        self.cuts += self._close_all()

    def drop(self) -> None:
        """Holds all that comes in either direction, and refuses nothing."""
        self._passable.clear()

    def restore(self) -> None:
        """Lets through what was held, and all that comes."""
        self._passable.set()

    def swallow(self, replies: int) -> None:
        """Lets the store do what it is asked, and drops the next replies with their connections."""
        with self._lock:
            self._to_swallow = replies

    def trap(self, word: bytes, action: Callable[[], None]) -> None:
        """Does something in place of forwarding the next request that has a word in it."""
        with self._lock:
            self._trap = word, action

    def request(self, chunk: bytes) -> bool:
        """Whether a request may pass, once it may."""
        self._passable.wait()
        with self._lock:
            if self._trap is None or self._trap[0] not in chunk:
                return True
            _, action = self._trap
            self._trap = None
            self.trapped += 1
        action()
        return False

    def reply(self) -> bool:
        """Whether a reply may pass, once it may."""
        self._passable.wait()
        with self._lock:
            if not self._to_swallow:
                return True
            self._to_swallow -= 1
            self.swallowed += 1
            return False

    def forget(self, link: "_Link") -> None:
        with self._lock:
            self._links.discard(link)

    def _close_all(self) -> int:
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()
        return len(links)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            store = socket.socket(socket.AF_UNIX)
            try:
                store.connect(self._target)
            except OSError:
                client.close()
                store.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(self, client, store)
            with self._lock:
                self._links.add(link)
            link.start()


class _Link:
    """One connection of a client, and ours to the store."""

    def __init__(self, proxy: Proxy, client: socket.socket, store: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._store = store

    def start(self) -> None:
        for run in (self._forward_requests, self._forward_replies):
            threading.Thread(target=run, daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._store):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._proxy.forget(self)

    def _forward_requests(self) -> None:
        with suppress(OSError):
            while (chunk := self._client.recv(_CHUNK)) and self._proxy.request(chunk):
                self._store.sendall(chunk)
        self.close()

    def _forward_replies(self) -> None:
        with suppress(OSError):
            while (chunk := self._store.recv(_CHUNK)) and self._proxy.reply():
                self._client.sendall(chunk)
        self.close()
