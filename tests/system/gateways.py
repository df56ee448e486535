"""Real gateways as processes of their own, and a way to find what they leave behind."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

GATEWAY = Path(sys.executable).with_name("gateway")
_MARK = "PWG_TEST_FAMILY"
PATIENCE = 60.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.05)


class Family:
    """All processes that a test has started, directly or not: they inherit its mark."""

    def __init__(self) -> None:
        self._mark = uuid4().hex

    @property
    def environment(self) -> dict[str, str]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")}
        return plain | {_MARK: self._mark}

    def members(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_member(process)]

    def named(self, *words: str) -> list[psutil.Process]:
        """The members that were started with these words in their command line."""
        found = []
        for process in self.members():
            # It may end while we look at it.
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if all(word in line for word in words):
                    found.append(process)
        return found

    def wait_until_gone(self) -> None:
        wait_until(lambda: not self.members(), "processes are left")

    def kill(self) -> None:
        for process in self.members():
            with suppress(psutil.Error):
                process.kill()

    def _is_member(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self._mark
        except (psutil.Error, OSError):
            return False  # gone, a zombie, or somebody else's


class Run:
    """A `gateway run` in a folder; what it prints goes to a file there."""

    def __init__(self, folder: Path, family: Family, *options: str, **environment: str) -> None:
        self.folder = folder
        self.environment = family.environment | environment
        self._printed = folder / f"printed-{uuid4().hex}"
        with self._printed.open("wb") as out:
            self.process = subprocess.Popen(
                [GATEWAY, "run", "--port", "0", *options],
                cwd=folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def printed(self) -> str:
        return self._printed.read_text()

    @property
    def url(self) -> str:
        return re.search(r"http://127\.0\.0\.1:\d+", self.printed)[0]

    @property
    def token(self) -> str:
        return re.search(r"pwg_\S+", self.printed)[0]

    @property
    def lines_to_paste(self) -> list[str]:
        lines = self.printed.splitlines()
        return [line for line in lines if line.startswith("curl ") or " simulate " in line]

    def wait_until_ready(self) -> "Run":
        def ready() -> bool:
            assert self.process.poll() is None, self.printed
            return len(self.lines_to_paste) == 2 and self.printed.endswith("\n")

        wait_until(ready, "the gateway is not ready")
        return self

    def paste(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            shlex.split(line),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def stop(self, signal: int) -> int:
        self.process.send_signal(signal)
        return self.process.wait(PATIENCE)
