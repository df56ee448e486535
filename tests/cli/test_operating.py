from dataclasses import replace
from datetime import UTC, datetime

import pytest
from on_call import delivery, drain, keep

from gateway.domain.errors import Cause, Rejected
from gateway.store.journal import Journal
from gateway.store.keys import DeliveryState
from providers import simulator
from providers.simulator import SimulatedPayment


def test_dead_letters_are_listed_and_requeued(gateway, runtime):
    delivery_id = keep(runtime)
    drain(replace(runtime, instances={}))

    (line,) = gateway("dead", "list")
    assert delivery_id in line
    assert "not_configured" in line
    assert "1 put back to work." in gateway("dead", "requeue", "--all")[-1]
    drain(runtime)
    (shown,) = gateway("deliveries", "list", "--json")
    assert (delivery_id, "applied") == (shown["id"], shown["state"])
    assert "cli:" in shown["asked"]


def test_dry_run_shows_the_change_and_makes_none(gateway, runtime):
    delivery_id = keep(runtime)

    lines = gateway("deliveries", "replay", delivery_id, "--dry-run")

    assert "genuine, by webhook_secrets[0]; read" in lines[0]
    assert lines[1].endswith("ps_1  applied  pending → authorized")
    assert "pending" == runtime.sessions.get("ps_1").status


def test_delivery_is_shown_with_its_body(gateway, runtime):
    delivery_id = keep(runtime)

    assert any('"evt_1"' in line for line in gateway("deliveries", "show", delivery_id))
    (facts,) = gateway("deliveries", "show", delivery_id, "--json")
    assert "genuine, by webhook_secrets[0]" == facts["verdict"]


def test_refused_requests_are_diagnosed_and_verified_again(gateway, runtime, valkey):
    journal = Journal(valkey)
    entry = journal.record(delivery(runtime), Rejected(Cause.BAD_SIGNATURE, "no secret fits"))
    other = {"GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_other"}

    assert "bad_signature" in gateway("rejections", "list", "stripe")[0]
    (facts,) = gateway("rejections", "diagnose", "stripe", entry, "--json")
    assert [facts] == gateway("deliveries", "diagnose", "stripe", entry, "--json")
    assert "evt_1" in facts["body"]
    assert "still refused" in gateway("rejections", "reverify", "stripe", "--all", **other)[0]
    assert "kept as dlv_" in gateway("rejections", "reverify", "stripe", entry)[0]
    drain(runtime)
    assert "authorized" == runtime.sessions.get("ps_1").status


@pytest.mark.parametrize(
    "words",
    [
        ("deliveries", "replay"),
        ("deliveries", "replay", "x", "--state", "dead"),
        ("dead", "requeue"),
        ("rejections", "reverify", "stripe"),
        ("deliveries", "list", "--since", "yesterday"),
    ],
)
def test_unclear_call_is_told_what_to_say(gateway, runtime, words):
    gateway(*words, code=2)


def test_unknown_delivery_is_told(gateway, runtime):
    gateway("deliveries", "show", "odd", code=1)


def test_bodies_are_sealed_with_a_new_key(gateway, runtime, valkey):
    delivery_id = keep(runtime)
    (key,) = gateway("bodies", "key")

    drain(runtime)
    assert "1 bodies sealed." in gateway("bodies", "rotate", GATEWAY_BODY_KEYS=key)[-1]
    raw = valkey.hgetall(f"delivery:{{0}}:{delivery_id}")
    assert b"gAAAA" == raw[b"packed"][:5]
    (facts,) = gateway("deliveries", "show", delivery_id, "--json", GATEWAY_BODY_KEYS=key)
    assert "evt_1" in facts["body"]
    gateway("deliveries", "show", delivery_id, code=1)


def test_key_that_is_none_is_told(gateway, runtime):
    gateway("deliveries", "list", code=1, GATEWAY_BODY_KEYS="short")


def test_session_is_erased_when_that_is_confirmed(gateway, runtime):
    keep(runtime)
    drain(runtime)

    gateway("sessions", "erase", "ps_1", code=1)
    assert "Erased, with 1 bodies." in gateway("sessions", "erase", "ps_1", "--yes")[-1]


@pytest.mark.parametrize(
    ("answer", "status"), [("accept", "authorized"), ("refuse", "requires_more")]
)
def test_claim_in_quarantine_is_answered_with_a_note(gateway, runtime, answer, status):
    told = SimulatedPayment(session_id="ps_1", external_id="pi_1", amount=4000, currency="EUR")
    instance = runtime.instances["stripe"]
    made = simulator.simulate(instance, "authorized", told, event_id="e1", at=datetime.now(UTC))
    runtime.inbox.append(made, b"k", secret="s", settled=True)
    drain(runtime)
    (claim,) = [one for one in runtime.sessions.history("ps_1") if one.delivery_id]

    gateway("sessions", answer, "ps_1", "nobody's", "--note", "no", code=1)
    words = ("sessions", answer, "ps_1", claim.event_id, "--note", "the shop gave a rebate")
    (done,) = gateway(*words, "--json")
    assert ("ps_1", status) == (done["id"], done["status"])
    assert "rebate" in runtime.sessions.history("ps_1")[-1].detail
    assert 0 == runtime.lists.count(DeliveryState.QUARANTINED)
