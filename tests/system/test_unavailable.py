"""A store that is gone, or does not persist, is answered 503; what kills do: `tests/chaos`."""

import pytest
from processes import eventually, stripe

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


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
