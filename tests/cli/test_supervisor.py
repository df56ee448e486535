"""Small real processes in the roles of a gateway's."""

import os
import signal
import sys
import time

import psutil
import pytest

from gateway import supervisor as module
from gateway.supervisor import ProcessFailure, Role, Stop, Supervisor

PATIENCE = 60.0
SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('deaf', flush=True)\n"
    "time.sleep(600)"
)
WITH_CHILD = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "child.wait()"
)


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(tmp_path, said):
    with Supervisor(tmp_path, said.append, Stop(), patience=5.0) as supervisor:
        yield supervisor


def role(name, code, **environment):
    return Role(name, (sys.executable, "-c", code), dict(os.environ) | environment)


def text_of(path):
    end = time.monotonic() + PATIENCE
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return path.read_text().strip()


def children():
    return psutil.Process().children(recursive=True)


def test_processes_end_in_the_reverse_order_of_their_start(tmp_path, said):
    order = tmp_path / "order"
    code = (
        "import os, signal, sys, time\n"
        "def end(*_):\n"
        "    with open(os.environ['ORDER'], 'a') as file:\n"
        "        file.write(os.environ['NAME'] + ' ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    with Supervisor(tmp_path, said.append, Stop()) as supervisor:
        for name in ("store", "worker", "web"):
            supervisor.start(role(name, code, ORDER=str(order), NAME=name))
            text_of(tmp_path / f"{name}.log")

    assert "web worker store " == order.read_text()
    assert [] == said


def test_process_that_does_not_listen_is_killed(tmp_path):
    before = set(children())
    with Supervisor(tmp_path, print, Stop(), patience=0.1) as supervisor:
        supervisor.start(role("deaf", STUBBORN))
        text_of(tmp_path / "deaf.log")

    assert before == set(children())


def test_dead_process_is_restarted_and_said(supervisor, said, tmp_path):
    supervisor.start(role("web", f"print('up', flush=True); {SLEEP}"))
    text_of(tmp_path / "web.log")
    [victim] = [c for c in children() if SLEEP in " ".join(c.cmdline())]
    victim.kill()

    supervisor.wait_until(lambda: said, PATIENCE, "not restarted")
    assert ["web has died (signal 9); it is restarted."] == said
    supervisor.wait_until(
        lambda: ["up", "up"] == (tmp_path / "web.log").read_text().split(), PATIENCE, "not up"
    )


def test_what_a_dead_process_had_started_is_killed_too(supervisor, said, tmp_path):
    supervisor.start(role("web", WITH_CHILD))
    grandchild = psutil.Process(int(text_of(tmp_path / "web.log")))
    grandchild.parent().kill()

    supervisor.wait_until(lambda: said, PATIENCE, "not restarted")

    def gone():
        return not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE

    supervisor.wait_until(gone, PATIENCE, "the orphan lives")


def test_process_that_only_dies_is_given_up_with_its_last_lines(supervisor, said, monkeypatch):
    # Five starts may take longer than that on a busy machine.
    monkeypatch.setattr(module, "_WITHIN", 600.0)
    supervisor.start(role("web", "import sys; sys.exit('no such setting')"))

    with pytest.raises(ProcessFailure, match=r"web died 5 times .*\n(.*\n)*.*no such setting"):
        supervisor.wait_until(lambda: False, PATIENCE, "never")
    assert ["web has died (exit code 1); it is restarted."] * 4 == said


def test_waiting_ends_with_the_logs(supervisor, tmp_path):
    supervisor.start(role("web", f"print('stuck', flush=True); {SLEEP}"))
    text_of(tmp_path / "web.log")

    with pytest.raises(ProcessFailure, match=r"It is late after 0 s\.\n--- web\nstuck"):
        supervisor.wait_until(lambda: False, 0, "It is late")


class Dies:
    """What Python does not let raise: an exception in a finalizer is thrown away."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_that_python_throws_away_is_not_forgotten(tmp_path, number):
    with Stop() as stop, Supervisor(tmp_path, print, stop) as supervisor:
        Dies(number)
        with pytest.raises(KeyboardInterrupt):
            supervisor.wait_until(lambda: False, 10.0, "never")


def test_handlers_are_given_back_and_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        term = signal.getsignal(signal.SIGTERM)
        with Stop():
            assert signal.SIG_IGN is signal.getsignal(signal.SIGINT)
            assert term is not signal.getsignal(signal.SIGTERM)
        assert term is signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
