"""Keeps child processes running, and leaves none behind: for `gateway run` and `gateway demo`.

In production a supervisor of the platform's starts the lines of the Procfile instead.
"""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any, Self

from gateway.domain.errors import GatewayError

PATIENCE = 10.0
"""Seconds that a process has to end after SIGTERM, before it is killed."""

_GUARD_PATIENCE = 2.0
_PAUSE = 0.05
_DEATHS, _WITHIN = 5, 10.0
_TAIL = 20
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A process that has ended; macOS forbids signals to one that is only not collected yet.
_GONE = (ProcessLookupError, PermissionError)


class ProcessFailure(GatewayError):
    """A supervised process cannot be kept running."""


@dataclass(frozen=True, slots=True)
class Role:
    """A process to keep running. `environment` is the whole of it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    pass_fds: tuple[int, ...] = ()


class Stop:
    """SIGINT and SIGTERM end its block by KeyboardInterrupt, and are not forgotten.

    Python throws away what a signal's handler raises in a finalizer or in the callback of a weak
    reference, and every import has one: `check` raises again what was lost there.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _STOP_SIGNALS:
            # A shell that starts us in its background has SIGINT ignored, and that is to stay.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises KeyboardInterrupt if we were asked to stop."""
        if self._asked:
            raise KeyboardInterrupt

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        raise KeyboardInterrupt


@contextmanager
def _signals_held() -> Iterator[None]:
    """Holds SIGINT and SIGTERM back: no process may be started and then not be known."""
    held: list[int] = []

    def hold(number: int, _: FrameType | None) -> None:
        held.append(number)

    before = {number: signal.signal(number, hold) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for missed in held:
            signal.raise_signal(missed)


class _Child:
    """A role's process, now and after every restart. It leads a process group of its own."""

    def __init__(self, role: Role, log: Path | None) -> None:
        self.role = role
        self.deaths: deque[float] = deque(maxlen=_DEATHS)
        self._log = log
        if log is not None:
            log.write_bytes(b"")
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        return self._process.poll()

    def restart(self) -> None:
        self._process = self._spawn()

    def last_lines(self) -> str:
        if self._log is None:
            return ""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL:])

    def end(self, patience: float) -> None:
        """Asks the process to end, and kills what is left of its group."""
        if self.exit_code() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self.kill()

    def kill(self) -> None:
        with suppress(*_GONE):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        with ExitStack() as files:
            out = files.enter_context(self._log.open("ab")) if self._log else sys.stderr
            return subprocess.Popen(  # noqa: S603 - our own command lines
                self.role.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.role.environment,
                pass_fds=self.role.pass_fds,
                # A terminal's Ctrl-C must not reach them: we stop them, in our order.
                start_new_session=True,
            )


class Supervisor:
    """Keeps processes running, and stops them in the reverse order of their start.

    Logs go to files in `log_dir`, or to standard error. Only for the main thread: signals.
    """

    def __init__(
        self,
        log_dir: Path | None,
        say: Callable[[str], None],
        stop: Stop,
        patience: float = PATIENCE,
    ) -> None:
        self._log_dir = log_dir
        self._say = say
        self._stop = stop
        self._patience = patience
        self._children: list[_Child] = []
        self._guard: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if self._log_dir is not None:
            self._log_dir.mkdir(parents=True, exist_ok=True)
        with _signals_held():
            self._guard = subprocess.Popen(
                (sys.executable, "-P", "-m", "gateway.supervisor"),
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            for child in reversed(self._children):
                child.end(self._patience)
        finally:
            # Reached early by a second Ctrl-C: whoever presses it does not want to wait.
            for child in reversed(self._children):
                child.kill()
            self._dismiss_guard()

    def start(self, role: Role) -> None:
        log = self._log_dir and self._log_dir / f"{role.name}.log"
        with _signals_held():
            child = _Child(role, log)
            self._children.append(child)
            self._tell_guard("watch", child.pid)

    def check(self) -> None:
        """Restarts what has died. Raises ProcessFailure for what does nothing but die.

        Raises KeyboardInterrupt if we were asked to stop.
        """
        self._stop.check()
        for child in self._children:
            code = child.exit_code()
            if code is not None:
                self._restart(child, code)

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Checks until a condition holds. Raises ProcessFailure if it takes too long."""
        end = time.monotonic() + timeout
        while not condition():
            self.check()
            if time.monotonic() > end:
                raise ProcessFailure(f"{what} after {timeout:.0f} s.\n{self.last_lines()}")
            time.sleep(_PAUSE)

    def last_lines(self) -> str:
        """The end of every log, for whoever has to find out what went wrong."""
        logs = [(child.role.name, child.last_lines()) for child in self._children]
        return "\n".join(f"--- {name}\n{lines}" for name, lines in logs if lines)

    def _restart(self, child: _Child, code: int) -> None:
        name, deaths = child.role.name, child.deaths
        child.kill()  # what is left of its group
        self._tell_guard("forget", child.pid)
        deaths.append(time.monotonic())
        if len(deaths) == _DEATHS and deaths[-1] - deaths[0] < _WITHIN:
            raise ProcessFailure(
                f"{name} died {_DEATHS} times within {_WITHIN:.0f} s; its last lines:\n"
                f"{child.last_lines()}"
            )
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._say(f"{name} has died ({how}); it is restarted.")
        with _signals_held():
            child.restart()
            self._tell_guard("watch", child.pid)

    def _tell_guard(self, what: str, pid: int) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            # Without a guard all still works, as long as nobody kills this process.
            with suppress(BrokenPipeError):
                self._guard.stdin.write(f"{what} {pid}\n")
                self._guard.stdin.flush()

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            for child in self._children:
                self._tell_guard("forget", child.pid)
            _close(self._guard.stdin)
            self._guard.wait()


def _close(pipe: IO[str] | None) -> None:
    with suppress(BrokenPipeError):
        if pipe is not None:
            pipe.close()


def _guard(lines: Iterable[str]) -> None:
    """Ends the process groups that a parent left behind: the one that it started first at last.

    Only the parent holds the other end of this process's standard input: however it dies, that
    is closed then.
    """
    groups: dict[int, None] = {}
    for line in lines:
        what, _, pid = line.partition(" ")
        if what == "watch":
            groups[int(pid)] = None
        else:
            groups.pop(int(pid), None)
    # What was started first is what the others work with.
    ids = list(groups)
    _end_groups(ids[1:])
    _end_groups(ids[:1])


def _end_groups(groups: Sequence[int]) -> None:
    """Asks the leaders to end, waits for a moment, and kills what is left of their groups."""
    for group in groups:
        with suppress(*_GONE):
            os.kill(group, signal.SIGTERM)
    end = time.monotonic() + _GUARD_PATIENCE
    while any(map(_exists, groups)) and time.monotonic() < end:
        time.sleep(_PAUSE)
    for group in groups:
        with suppress(*_GONE):
            os.killpg(group, signal.SIGKILL)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except _GONE:
        return False
    return True


if __name__ == "__main__":
    _guard(sys.stdin)
