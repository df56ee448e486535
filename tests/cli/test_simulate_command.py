import json
from datetime import UTC, datetime

import pytest
import responses
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.development import development_instance
from gateway.domain.errors import Rejected
from gateway.domain.events import Delivery, SessionStatus

BASE = "http://127.0.0.1:8080"
MONEY = ["--amount", "1250", "--currency", "CHF"]
SESSION = {
    "id": "ps_1",
    "provider_id": "stripe",
    "status": "pending",
    "status_reason": "created",
    "amount": 4250,
    "currency_code": "EUR",
    "payment_authorized_at": None,
    "version": 1,
    "idempotency_key": "key",
    "data": {"id": "pi_of_the_session"},
}


@pytest.fixture
def api():
    with responses.RequestsMock() as api:
        yield api


@pytest.fixture
def simulate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **environment):
        return CliRunner().invoke(main, ["simulate", *arguments], env=environment)

    return run


def received(call, provider="stripe", **environment):
    """The events in a posted webhook, after its signature was found to be good."""
    instance = development_instance(provider, environment)
    delivery = Delivery(
        provider_id=provider,
        body=call.request.body,
        headers=tuple(call.request.headers.items()),
        received_at=datetime.now(UTC),
        path=f"/webhooks/{provider}",
    )
    instance.adapter.verify(delivery, instance.config)
    return list(instance.adapter.read(delivery, instance.config))


@pytest.mark.parametrize("provider", ["adyen", "square", "standard_webhooks", "stripe"])
def test_signed_webhook_is_posted(simulate, api, provider):
    api.post(f"{BASE}/webhooks/{provider}")

    done = simulate(provider, "authorized", "--session", "ps_1", *MONEY)
    assert 0 == done.exit_code, done.output
    [event] = received(api.calls[0], provider)
    assert SessionStatus.AUTHORIZED is event.session_status
    assert ("ps_1", 1250, "CHF") == (event.reference, event.amount, event.currency)
    assert done.stdout == f"→ {provider} {event.type}  200  ps_1  1250 CHF\n"


def test_answers_are_told_to_programs_as_json(simulate, api):
    refusal = {"cause": "bad_signature", "detail": "No."}
    api.post(f"{BASE}/webhooks/stripe", status=400, json=refusal)

    done = simulate("stripe", "captured", "--session", "ps_1", *MONEY, "--json")
    assert 1 == done.exit_code
    told = json.loads(done.stdout)
    assert ("stripe", "payment_intent.succeeded", 400, "bad_signature") == (
        told["provider"],
        told["types"],
        told["status"],
        told["cause"],
    )


def test_money_and_payment_are_the_sessions(simulate, api):
    answer = api.get(f"{BASE}/sessions/ps_1", json=SESSION, headers={"ETag": '"1"'})
    api.post(f"{BASE}/webhooks/stripe")

    done = simulate("stripe", "authorized", "--session", "ps_1", "--token", "pwg_1")
    assert 0 == done.exit_code, done.output
    assert "Bearer pwg_1" == answer.calls[0].request.headers["Authorization"]
    [event] = received(api.calls[1])
    assert (4250, "EUR", "pi_of_the_session") == (event.amount, event.currency, event.external_id)


def test_development_token_is_found_in_its_file(simulate, api, tmp_path):
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "token").write_text("pwg_kept\n")
    answer = api.get(f"{BASE}/sessions/ps_1", json=SESSION, headers={"ETag": '"1"'})
    api.post(f"{BASE}/webhooks/stripe")

    assert 0 == simulate("stripe", "authorized", "--session", "ps_1").exit_code
    assert "Bearer pwg_kept" == answer.calls[0].request.headers["Authorization"]


def test_twice_is_the_very_same_webhook(simulate, api):
    api.post(f"{BASE}/webhooks/stripe")

    simulate("stripe", "captured", "--session", "ps_1", *MONEY, "--twice")
    first, second = api.calls
    assert first.request.body == second.request.body
    assert first.request.headers == second.request.headers


def test_old_event_is_sent_with_a_fresh_signature(simulate, api):
    api.post(f"{BASE}/webhooks/stripe")

    at = "2026-01-02T03:04:05+01:00"
    simulate("stripe", "authorized", "--session", "ps_1", *MONEY, "--at", at)
    [event] = received(api.calls[0])
    assert datetime.fromisoformat(at) == event.occurred_at


def test_secret_of_the_environment_is_used(simulate, api):
    api.post(f"{BASE}/webhooks/stripe")

    own = {"GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_own"}
    simulate("stripe", "authorized", "--session", "ps_1", *MONEY, **own)
    assert received(api.calls[0], **own)
    with pytest.raises(Rejected):
        received(api.calls[0])


def test_base_url_may_come_from_the_environment(simulate, api):
    api.post("http://127.0.0.1:9999/webhooks/stripe")

    done = simulate(
        "stripe", "authorized", "--session", "ps_1", *MONEY, GATEWAY_URL="http://127.0.0.1:9999/"
    )
    assert 0 == done.exit_code, done.output


def test_refusal_is_shown_and_fails(simulate, api):
    problem = {"detail": "the signature does not match", "cause": "bad_signature"}
    api.post(f"{BASE}/webhooks/stripe", status=400, json=problem)

    failed = simulate("stripe", "authorized", "--session", "ps_1", *MONEY)
    assert 1 == failed.exit_code
    assert "  400  bad_signature" in failed.stdout
    assert problem == json.loads(failed.stderr)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nobody", "authorized"], "There is no provider 'nobody'; there are adyen, "),
        (["stripe", "rained"], "stripe has no 'rained'; it has created, "),
        (["stripe", "authorized", "--at", "noon"], "'noon' is not a time"),
        (["stripe", "authorized", "--at", "2026-01-02T03:04:05"], "say the zone"),
        (["stripe", "authorized"], "Give --amount and --currency, or a --token"),
    ],
)
def test_misuse_is_explained(simulate, arguments, told):
    failed = simulate(*arguments, "--session", "ps_1")

    assert failed.exit_code
    assert told in failed.stderr


def test_unknown_session_is_explained(simulate, api):
    api.get(f"{BASE}/sessions/ps_1", status=404, json={"detail": "There is no session ps_1."})

    failed = simulate("stripe", "authorized", "--session", "ps_1", "--token", "pwg_1")
    assert 1 == failed.exit_code
    assert "There is no session ps_1; create it first" in failed.stderr


def test_gateway_that_is_away_is_told_in_one_line(simulate, api):
    failed = simulate("stripe", "authorized", "--session", "ps_1", *MONEY)

    assert 1 == failed.exit_code
    assert [
        f"Error: The gateway at {BASE}/webhooks/stripe cannot be reached (ConnectionError)."
    ] == (failed.stderr.splitlines())


def test_list_names_every_kind(simulate):
    shown = simulate("--list")

    assert 0 == shown.exit_code
    lines = dict(line.split(": ") for line in shown.stdout.splitlines())
    assert {"adyen", "square", "standard_webhooks", "stripe"} <= lines.keys()
    assert {"created", "requires_action", "authorized", "captured"} <= set(
        lines["stripe"].split(", ")
    )
