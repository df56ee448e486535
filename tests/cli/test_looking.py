"""The commands for looking: doctor, providers, sessions, tail, export."""

import json

import pytest
from on_call import SECRET, drain, keep


@pytest.fixture
def applied(runtime):
    """A session that a webhook has authorized; the delivery's id."""
    runtime.listings.state([runtime.sessions.get("ps_1")])
    delivery_id = keep(runtime)
    drain(runtime)
    return delivery_id


def test_doctor_says_what_is_wrong_and_what_to_do(gateway, runtime):
    findings = {one["what"]: one for one in gateway("doctor", "--json", code=1)}

    assert "ok" == findings["providers"]["verdict"]
    assert "it persists" in findings["store"]["told"]
    # Nobody works on the queues.
    assert "start one" in findings["queue gateway"]["told"]
    assert "ok" == findings["clocks"]["verdict"]
    assert any(line.startswith("✗ queue gateway: ") for line in gateway("doctor", code=1))


def test_doctor_tells_of_a_store_that_is_gone_and_of_settings_that_are_wrong(gateway):
    gone = gateway("doctor", code=1, GATEWAY_STORE_URL="unix:///nowhere")
    assert any("cannot be reached" in line for line in gone)

    wrong = gateway("doctor", code=1, GATEWAY_SHARDS="many")
    assert "GATEWAY_SHARDS" in "".join(wrong)


def test_overview_tells_what_needs_a_person_and_what_came(gateway, applied):
    (told,) = gateway("overview", "--json")
    (stripe,) = told["providers"]
    assert (1, 1, 0) == tuple(stripe["last_hour"][what] for what in ("received", "applied", "dead"))
    assert ["gateway", "gateway-settle"] == [one["name"] for one in told["needs"]]

    lines = gateway("overview")
    assert any("Nobody works on the queue gateway" in line for line in lines)
    assert any(line.split()[:4] == ["stripe", "1", "/", "1"] for line in lines)


def test_providers_are_listed_without_their_secrets(gateway, applied):
    (found,) = gateway("providers", "--json")

    assert ("stripe", "/webhooks/stripe", "live and test") == (
        found["name"],
        found["path"],
        found["mode"],
    )
    assert "webhook_secrets[0]" in [secret["label"] for secret in found["secrets"]]
    assert SECRET not in "".join(gateway("providers"))


def test_sessions_are_listed_and_shown_with_their_reasons(gateway, applied):
    (line,) = gateway("sessions", "list", "--status", "authorized")
    assert line.startswith("ps_1  stripe  42.50 EUR  authorized")
    assert [] == gateway("sessions", "list", "--status", "error")

    shown = "\n".join(gateway("sessions", "show", "ps_1"))
    assert "pending → authorized" in shown
    (facts,) = gateway("sessions", "show", "ps_1", "--json")
    assert [applied] == [one["delivery_id"] for one in facts["decisions"] if one["delivery_id"]]
    gateway("sessions", "show", "ps_9", code=1)


def test_tail_begins_where_it_is_told_to_and_ends_after_a_count(gateway, applied):
    (line,) = gateway("tail", "--since", "2020-01-01T00:00:00Z", "--count", "1")
    assert "stripe  applied  payment_intent.amount_capturable_updated: applied to ps_1" in line

    (facts,) = gateway("tail", "--since", "2020-01-01T00:00:00Z", "--count", "1", "--json")
    assert applied == facts["id"]


def test_export_goes_on_where_a_file_ends(gateway, runtime, tmp_path):
    ids = []
    for number in range(3):
        ids.append(keep(runtime, key=bytes([number])))
        drain(runtime)
    file = tmp_path / "deliveries.jsonl"
    gateway("export", "deliveries", "--output", str(file))
    whole = file.read_text().splitlines()
    assert ids[::-1] == [json.loads(line)["id"] for line in whole]

    # As if it had been cut off in the middle of a line.
    file.write_text(f"{whole[0]}\n{whole[1][:40]}")
    gateway("export", "deliveries", "--output", str(file))
    assert whole == file.read_text().splitlines()


def test_export_of_histories_has_sessions_and_decisions(gateway, applied):
    (line,) = gateway("export", "history")
    found = json.loads(line)

    assert ("ps_1", "authorized") == (found["session"]["id"], found["session"]["status"])
    assert 2 == len(found["decisions"])


def test_settings_are_shown_as_json(gateway):
    (found,) = gateway("config", "--json")

    assert "stripe" == found["instances"]
    assert SECRET not in json.dumps(found)
