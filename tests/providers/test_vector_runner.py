import json
from copy import deepcopy
from pathlib import Path

import pytest

from providers import conformance

VECTORS = {
    vector["name"]: vector
    for vector in json.loads(
        (Path(__file__).parents[1] / "vectors" / "stripe.json").read_text(encoding="utf-8")
    )
}
THIN = "thin_event_payment_intent_succeeded"


@pytest.fixture
def vector():
    """A copy of a vector that passes, to be spoilt."""

    def copy(name="payment_failed"):
        return deepcopy(VECTORS[name])

    return copy


def problem(vector):
    (found,) = conformance.run_vector(vector)
    return found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", "x"),
        ("type", "x"),
        ("occurred_at", "2025-11-24T16:04:56Z"),
        ("external_id", "x"),
        ("reference", None),
        ("session_status", "pending"),
        ("payment_event", "captured"),
        ("amount_minor", 1),
        ("currency", "USD"),
    ],
)
def test_every_field_of_an_event_is_compared(field, value, vector):
    spoilt = vector()
    spoilt["expect"]["events"][0][field] = value
    assert problem(spoilt).startswith(f"events[0].{field}: expected")


def test_field_that_is_left_out_is_not_compared(vector):
    sparse = vector()
    sparse["expect"]["events"] = [{"type": "payment_intent.payment_failed"}]
    assert [] == conformance.run_vector(sparse)


def test_times_are_compared_as_instants(vector):
    other = vector()
    other["expect"]["events"][0]["occurred_at"] = "2025-11-24T17:04:55.000+01:00"
    assert [] == conformance.run_vector(other)


def test_missing_event_is_told(vector):
    spoilt = vector()
    spoilt["expect"]["events"] = []
    assert "number of events: expected 0, got 1" == problem(spoilt)


def test_wrong_verdict_is_told(vector):
    spoilt = vector("tampered_body")
    spoilt["expect"]["reason"] = "malformed"
    assert "reason: expected 'malformed', got 'bad_signature'" == problem(spoilt)


def test_reply_is_compared(vector):
    spoilt = vector()
    spoilt["expect"]["response"] = {"status": 204, "body": ""}
    assert problem(spoilt).startswith("response.status")


def test_refusal_has_its_own_status(vector):
    spoilt = vector("tampered_body")
    spoilt["expect"]["response"] = {"status": 400}
    assert [] == conformance.run_vector(spoilt)


def test_call_that_is_not_listed_is_a_failure(vector):
    spoilt = vector(THIN)
    spoilt["api"] = []
    assert "is not to be asked" in problem(spoilt)


def test_listed_call_that_is_not_made_is_a_failure_unless_optional(vector):
    spoilt = vector(THIN)
    spoilt["api"].append({"method": "GET", "url": "https://api.stripe.com/x", "status": 200})
    assert "never asked https://api.stripe.com/x" in problem(spoilt)
    spoilt["api"][1]["optional"] = True
    assert [] == conformance.run_vector(spoilt)


def test_header_of_a_call_is_compared_unless_illustrative(vector):
    spoilt = vector(THIN)
    spoilt["api"][0]["headers"]["User-Agent"] = "whatever"
    assert [] == conformance.run_vector(spoilt)
    spoilt["api"][0]["headers"]["Authorization"] = "Bearer other"
    assert "needs the header Authorization" in problem(spoilt)


def test_adapter_that_does_not_exist_fails_its_vector(vector):
    assert "there is no adapter 'teleport'" == problem(vector() | {"provider": "teleport"})


def test_configuration_that_does_not_load_fails_its_vector(vector):
    assert problem(vector() | {"config": {}}).startswith("config: ")


def test_vector_that_is_none_fails_and_crashes_nothing(vector):
    assert problem(vector() | {"request": 7}).startswith("crashed: ")


def test_body_may_be_given_in_base64(vector):
    binary = vector("tampered_body")
    binary["request"]["body_base64"] = "AP8="
    assert b"\x00\xff" == conformance.delivery_of(binary).body


def test_command_tells_what_fails_and_how_many(vector, tmp_path, capsys):
    spoilt = vector("tampered_body")
    spoilt["expect"] = {"verified": True, "reason": None, "events": []}
    path = tmp_path / "some.json"
    path.write_text(json.dumps([vector(), spoilt]), encoding="utf-8")
    assert 1 == conformance.main([str(path)])
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}: tampered_body: verified: expected True, got False; reason:")
    assert "1 passed, 1 failed" == last


def test_command_succeeds_when_all_pass(vector, tmp_path, capsys):
    path = tmp_path / "some.json"
    path.write_text(json.dumps([vector()]), encoding="utf-8")
    assert 0 == conformance.main([str(path)])
    assert "1 passed, 0 failed\n" == capsys.readouterr().out


def test_command_without_files_says_how_it_is_used(capsys):
    assert 2 == conformance.main([])
    assert "python -m providers.conformance" in capsys.readouterr().err
