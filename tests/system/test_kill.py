"""kill -9 of each role under a stream of webhooks: nothing acknowledged is lost or doubled."""

import threading
from collections import Counter
from typing import Self

import pytest
from processes import Gateway, eventually, stripe

from gateway.store.inbox import Inbox
from gateway.store.sessions import Sessions

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

SESSIONS = [f"ps_{number}" for number in range(5)]


class Stream:
    """Posts refunds of one minor unit each, one after the other, until it is stopped.

    Like a provider it sends again what was not answered 2xx, but only once the role is back.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(3)]
        self.acknowledged: list[tuple[str, str]] = []
        self.answers: Counter[int] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, sender: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            session_id = SESSIONS[number % len(SESSIONS)]
            refund = f"re_{sender}_{number}"
            told = stripe(f"evt_{refund}", "refund.created", session_id, id=refund, amount=1)
            status = self._gateway.post(told, timeout=5)
            self.answers[status] += 1
            if 200 <= status < 300:
                self.acknowledged.append((session_id, f"evt_{refund}"))

    def has_acknowledged(self, more: int) -> bool:
        return len(self.acknowledged) >= more


def applied(gateway: Gateway) -> Counter[tuple[str, str]]:
    """How often each event stands in the histories as applied."""
    return Counter(
        (session_id, decision["event_id"])
        for session_id in SESSIONS
        for decision in gateway.decisions(session_id)
        if decision["outcome"] == "applied" and decision["type"] != "session.created"
    )


def refunded(gateway: Gateway) -> int:
    with gateway.client() as client:
        found = Sessions(client).load([(session_id, ()) for session_id in SESSIONS])
        return sum(one.record.payment.refunded_amount for one in found)


def backlog(gateway: Gateway) -> int:
    with gateway.client() as client:
        return Inbox(client, 1).backlog(0)


@pytest.mark.parametrize("role", ["worker", "web", "store", "cron"])
def test_killed_role_loses_and_doubles_nothing(gateway, role):
    for session_id in SESSIONS:
        gateway.create(session_id)
        told = stripe(f"evt_{session_id}", "payment_intent.succeeded", session_id)
        assert 200 == gateway.post(told)
    for session_id in SESSIONS:
        eventually(lambda s=session_id: gateway.status(s) == "authorized", "authorized")

    with Stream(gateway) as stream:
        for _ in range(3):
            done = len(stream.acknowledged)
            eventually(lambda done=done: stream.has_acknowledged(done + 100), "stream flows")
            gateway.roles[role].kill()
            gateway.roles[role].start()
    eventually(gateway.is_ready, "ready again")
    eventually(lambda: backlog(gateway) == 0, "everything is worked on", seconds=15)

    counts = applied(gateway)
    assert {one for one in stream.acknowledged if counts[one] != 1} == set()
    assert set(stream.answers) <= {200, 503, 0}
    refunds = [key for key in counts if key[1].startswith("evt_re_")]
    assert len(refunds) == refunded(gateway)


def test_store_that_is_gone_is_answered_503(gateway):
    gateway.create("ps_1")
    gateway.roles["store"].kill()

    assert 503 == gateway.post(stripe("evt_1", "payment_intent.succeeded", "ps_1"))
    assert not gateway.is_ready()

    gateway.roles["store"].start()
    eventually(gateway.is_ready, "ready again")
    assert 200 == gateway.post(stripe("evt_1", "payment_intent.succeeded", "ps_1"))
    eventually(lambda: gateway.status("ps_1") == "authorized", "applied after the restart")


def test_store_that_stops_persisting_is_answered_503(gateway):
    with gateway.client() as client:
        client.config_set("appendonly", "no")

    eventually(lambda: not gateway.is_ready(), "the lack is noticed")
    assert 503 == gateway.post(stripe("evt_1", "payment_intent.succeeded", "ps_1"))
