import pytest
import toy


@pytest.fixture
def authorized(api, create, webhook):
    session = create()
    webhook(toy.told("e1"))
    return session


def complete(api, key, session_id="ps_1"):
    return api("POST", f"/sessions/{session_id}/complete", json={"idempotency_key": key})


def test_completion_gives_the_payment_and_the_same_one_again(api, authorized):
    first = complete(api, authorized["idempotency_key"])
    again = complete(api, authorized["idempotency_key"])

    assert (200, first.json) == (again.status_code, again.json)
    assert ("pay_1", "ps_1", 1000, "EUR", 0) == tuple(
        first.json[name]
        for name in ("id", "session_id", "amount", "currency_code", "captured_amount")
    )
    assert api("GET", "/sessions/ps_1").json["completed_at"]
    decisions = api("GET", "/sessions/ps_1/history").json["decisions"]
    assert ["applied"] == [d["outcome"] for d in decisions if d["type"] == "session.completed"]


def test_pending_is_a_conflict_that_is_never_replayed(api, create, webhook):
    key = create()["idempotency_key"]
    early = complete(api, key)
    webhook(toy.told("e1"))

    assert (409, "pending") == (early.status_code, early.json["session_status"])
    assert 200 == complete(api, key).status_code


def test_another_key_completes_nothing(api, authorized):
    answer = complete(api, "guess")

    assert 422 == answer.status_code
    assert authorized["idempotency_key"] not in answer.text


def test_payment_is_found_by_its_session_and_by_its_id(api, authorized):
    payment = api("GET", "/sessions/ps_1/payment").json

    assert payment["id"] == api("GET", f"/sessions/{payment['session_id']}").json["payment_id"]
    assert payment == api("GET", f"/payments/{payment['id']}").json


@pytest.mark.parametrize(
    "path", ["/payments/pay_9", "/payments/x", "/payments/pay_.", "/payments/ä"]
)
def test_unknown_payment_is_not_found(api, path):
    assert 404 == api("GET", path).status_code


def test_session_that_was_never_authorized_has_no_payment(api, create):
    create()

    assert 404 == api("GET", "/sessions/ps_1/payment").status_code


def test_webhooks_capture_refund_dispute_and_void(api, authorized, webhook):
    def told(event_id, kind, reference, amount):
        return toy.told(event_id, status=None, change=[kind, reference], amount=amount)

    webhook(
        told("e2", "captured", "cap_1", 700),
        told("e3", "refunded", "re_1", 200),
        told("e4", "refunded", "re_2", 100),
        told("e5", "refund_failed", "re_2", 100),
        told("e6", "disputed", "dp_1", 50),
        told("e7", "voided", "v_1", None),
    )

    payment = api("GET", "/sessions/ps_1/payment").json
    assert (700, 200, 50) == tuple(
        payment[f"{name}_amount"] for name in ("captured", "refunded", "disputed")
    )
    assert payment["captured_at"]
    assert payment["canceled_at"]
    assert [("re_1", "refunded"), ("re_2", "refund_failed")] == [
        (refund["reference"], refund["kind"]) for refund in payment["refunds"]
    ]
    assert (1, 1) == (len(payment["captures"]), len(payment["disputes"]))
