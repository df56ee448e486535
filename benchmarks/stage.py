"""Real processes on loopback: a store with settings as shipped, web servers, workers."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from processes import Gateway, Role, add_token, eventually, free_port
from traffic import SHARDS, settings

from gateway.store import scripts
from gateway.store.inbox import Inbox

HERE = Path(__file__).parent
WEB_PROCESSES = 2


class Stage(Gateway):
    """A gateway's processes, each started when it is needed, and the floor beside them."""

    def __init__(self, folder: Path, fsync: str = "always") -> None:
        super().__init__(folder, settings())
        configuration = folder / "valkey.conf"
        text = configuration.read_text().replace("appendfsync always", f"appendfsync {fsync}")
        # Never by itself: `records.tidy` has the file rewritten between rounds.
        configuration.write_text(f"{text}auto-aof-rewrite-percentage 0\n")
        self.roles["web"].command += ["--workers", str(WEB_PROCESSES)]
        self.floor_port = free_port()
        web = self.roles["web"]
        command = [part.replace("gateway.wsgi:app", "floor:app") for part in web.command]
        command[command.index(str(self.port))] = str(self.floor_port)
        environment = web.environment | {"PYTHONPATH": str(HERE)}
        self.roles["floor"] = Role("floor", command, environment, folder / "floor.log")
        worker = self.roles["worker"]
        second = Role("worker2", worker.command, worker.environment, folder / "worker2.log")
        self.roles["worker2"] = second

    @property
    def store_url(self) -> str:
        return f"unix://{self.socket}"

    def start(self, *names: str) -> None:
        for name in names:
            self.roles[name].start()
            if name == "store":
                eventually(self.store_answers, "the store answers")
                with self.client() as client:
                    add_token(client)
                    scripts.load(client)
            if name == "web":
                eventually(self.is_ready, "the gateway is ready")
            if name == "floor":
                eventually(lambda: _listens(self.floor_port), "the floor listens")

    def stop(self, *names: str) -> None:
        for name in names or ("web", "floor", "worker", "worker2", "settler", "cron", "store"):
            self.roles[name].stop()

    def run(self, name: str, command: Sequence[str]) -> Role:
        """A process of our own, with the environment of a worker."""
        environment = self.roles["worker"].environment | {"PYTHONPATH": str(HERE)}
        role = Role(name, [sys.executable, *command], environment, self.folder / f"{name}.log")
        self.roles[name] = role
        role.start()
        return role

    def cpu(self, *names: str) -> float:
        """Seconds of processor time that the roles and their children have used so far."""
        return sum(_cpu(process) for name in names for process in self.processes(name))

    def resident(self, name: str) -> list[int]:
        """Bytes in memory of each process of a role."""
        return [process.memory_info().rss for process in self.processes(name)]

    def processes(self, name: str) -> list[psutil.Process]:
        leader = psutil.Process(self.roles[name].process.pid)
        return [leader, *leader.children(recursive=True)]

    def used_memory(self) -> int:
        with self.client() as client:
            return int(client.info("memory")["used_memory"])

    def backlog(self) -> int:
        with self.client() as client:
            return Inbox(client, SHARDS).backlog(0)

    def wait_until_worked_off(self, seconds: float = 300) -> None:
        eventually(lambda: self.backlog() == 0, "the backlog is worked off", seconds)


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _listens(port: int) -> bool:
    return any(
        one.laddr.port == port and one.status == psutil.CONN_LISTEN
        for one in psutil.net_connections("tcp")
    )


@contextmanager
def stage(fsync: str = "always") -> Iterator[Stage]:
    with TemporaryDirectory(prefix="pwg-") as folder:
        made = Stage(Path(folder), fsync)
        try:
            made.start("store")
            yield made
        finally:
            made.stop()
