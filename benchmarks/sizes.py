"""Memory: of the store by session and by delivery, of the processes; and how long a start takes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from acknowledge import Edge
from applying import Bench
from records import make_backlog, make_sessions, writing
from redis import Redis
from rows import Row, within
from stage import stage
from traffic import webhooks

_COUNT, _STARTS = 20_000, 5
_KIB, _MB = 1024.0, 1e6


def measure() -> Iterator[Row]:
    yield from _store()
    yield from _processes()
    seconds = median(_starts())
    yield within("`gateway run` until it is ready", seconds, 3, "s")


def _store() -> Iterator[Row]:
    with stage() as made:
        before = made.used_memory()
        with writing(made) as client:
            make_sessions(client, 0, _COUNT)
            make_backlog(client, webhooks(0, _COUNT))
        made.start("worker")
        made.wait_until_worked_off()
        whole = made.used_memory()
        with made.client() as client:
            for pattern in ("delivery:*", "deliveries:*", "inbox:*"):
                _remove(client, pattern)
        time.sleep(2)  # the store frees memory in its own time
        sessions = made.used_memory()
    name = "store memory of an"
    yield within(
        f"{name} authorized session with history and payment",
        (sessions - before) / _COUNT,
        1.5 * _KIB,
        "KiB",
        _KIB,
    )
    size = (whole - sessions) / _COUNT
    yield within(f"{name} applied delivery of 3.5 KB", size, 1.5 * _KIB, "KiB", _KIB)


def _remove(client: Redis, pattern: str) -> None:
    pipeline = client.pipeline(transaction=False)
    for key in client.scan_iter(pattern, count=5000):
        pipeline.unlink(key)
    pipeline.execute()


def _processes() -> Iterator[Row]:
    with stage() as made:
        made.start("web", "floor")
        Edge(made).round()
        web = max(made.resident("web"))
        bench = Bench(made, first=1_000_000)
        workers: list[int] = []
        bench.gateway(at_end=lambda: workers.extend(made.resident("worker")))
    yield within("resident memory of a web process after 8,000 webhooks", web, 80 * _MB, "MB", _MB)
    text = "resident memory of a worker after 20,000 webhooks"
    yield within(text, max(workers), 80 * _MB, "MB", _MB)


def _starts() -> Iterator[float]:
    """The first one sets the data up, and is not counted."""
    executable = str(Path(sys.executable).with_name("gateway"))
    with TemporaryDirectory(prefix="pwg-") as folder:
        for number in range(_STARTS + 1):
            began = time.monotonic()
            process = subprocess.Popen(
                [executable, "run", "--port", "0"],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert "ready" in process.stdout.readline()
            if number:
                yield time.monotonic() - began
            process.terminate()
            process.wait(60)
