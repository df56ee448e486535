"""Five hundred who wait on one process: they cost nothing while they wait, and all hear at once."""

import selectors
import socket
import time

import psutil
import pytest
from processes import TOKEN, eventually, stripe

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

WAITERS = 500
REQUEST = (
    "GET /sessions/ps_1?wait=30 HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
    f'Authorization: Bearer {TOKEN}\r\nIf-None-Match: "1"\r\n\r\n'
)


def cpu(process):
    """Seconds of CPU that a process and its children have used."""
    family = [process, *process.children(recursive=True)]
    return sum(one.cpu_times().user + one.cpu_times().system for one in family)


def hear(sockets):
    """Each answer, with the time at which it came."""
    answers = {}
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            one.settimeout(0)
            selector.register(one, selectors.EVENT_READ, [b""])
        end = time.monotonic() + 60
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(1):
                chunk = key.fileobj.recv(65536)
                key.data[0] += chunk
                if chunk:
                    answers[key.fileobj] = (time.monotonic(), key.data[0])
                else:
                    selector.unregister(key.fileobj)
    return list(answers.values())


def test_five_hundred_wait_quietly_and_hear_of_the_change_together(gateway, record_property):
    gateway.create("ps_1")
    sockets = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(WAITERS)]
    try:
        for one in sockets:
            one.sendall(REQUEST.encode())
        web = psutil.Process(gateway.roles["web"].process.pid)
        eventually(lambda: waiting(web) >= WAITERS and settled(web), "all wait")
        before, began = cpu(web), time.monotonic()
        time.sleep(3)
        busy = (cpu(web) - before) / (time.monotonic() - began)
        changed = time.monotonic()
        assert 200 == gateway.post(stripe("evt_1", "payment_intent.succeeded", "ps_1"))
        answers = hear(sockets)
    finally:
        for one in sockets:
            one.close()

    assert WAITERS == len(answers)
    assert {(b"HTTP/1.1 200", True)} == {(b[:12], b"authorized" in b) for _, b in answers}
    assert busy < 0.2, "waiters must not poll"
    times = sorted(at for at, _ in answers)
    print(  # noqa: T201 - the figure of the promise
        f"\n{WAITERS} waiters: {busy:.1%} of a core while waiting; the first heard after "
        f"{times[0] - changed:.3f} s, the last {times[-1] - times[0]:.3f} s later"
    )


def settled(web):
    """Whether the process has stopped working on what came in."""
    before = cpu(web)
    time.sleep(0.5)
    return cpu(web) - before < 0.02


def waiting(web):
    """Threads of the web process that hold a request."""
    return sum(one.num_threads() for one in [web, *web.children(recursive=True)])
