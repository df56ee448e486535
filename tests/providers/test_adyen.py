import base64
import json
from dataclasses import replace

import pytest

from gateway.domain.errors import Cause, Rejected
from providers import simulator
from providers.contract import Reply

TIMEFRAME_EXPIRED = "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"


@pytest.fixture
def adyen(instance_of):
    return instance_of("adyen", hmac_keys=[KEY])


@pytest.fixture
def altered(adyen, simulated, resigned):
    """A delivery whose item has some fields replaced (None: taken out), signed anew or not."""

    def make(kind, *, sign=True, **changes):
        delivery = simulated(adyen, kind)
        body = json.loads(delivery.body)
        item = body["notificationItems"][0]["NotificationRequestItem"]
        item.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del item[name]
        if sign:
            return resigned(adyen, delivery, body)
        return replace(delivery, body=json.dumps(body).encode())

    return make


@pytest.fixture
def read(adyen):
    def make(delivery, instance=adyen):
        instance.adapter.verify(delivery, instance.config)
        return list(instance.adapter.read(delivery, instance.config))

    return make


def batch(instance, kinds, payment, at):
    return simulator.simulate_batch(instance, kinds, payment, event_id="any", at=at)


def test_batch_is_read_item_by_item(adyen, payment, at, read):
    delivery = batch(adyen, ("authorized", "captured", "refunded", "ignored"), payment, at)
    told = [event.type for event in read(delivery)]
    assert ["AUTHORISATION", "CAPTURE", "REFUND", "REPORT_AVAILABLE"] == told


@pytest.mark.parametrize("bad", [0, 1, 2])
@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda item: item["amount"].update(value=1), Cause.BAD_SIGNATURE),
        (lambda item: item["additionalData"].clear(), Cause.MISSING_SIGNATURE),
        (lambda item: item.pop("additionalData"), Cause.MISSING_SIGNATURE),
        (lambda item: item.update(additionalData=None), Cause.MISSING_SIGNATURE),
        (lambda item: item["additionalData"].update(hmacSignature=7), Cause.MISSING_SIGNATURE),
        (lambda item: item.update(success="maybe"), Cause.MALFORMED),
    ],
)
def test_one_bad_item_refuses_the_whole_batch(bad, spoil, cause, adyen, payment, at, refusal):
    delivery = batch(adyen, ("authorized", "captured", "refunded"), payment, at)
    body = json.loads(delivery.body)
    spoil(body["notificationItems"][bad]["NotificationRequestItem"])
    assert cause == refusal(adyen, replace(delivery, body=json.dumps(body).encode()))


def test_batch_without_items_is_not_signed_by_anybody(adyen, simulated, refusal):
    empty = replace(simulated(adyen, "captured"), body=b'{"live":"false","notificationItems":[]}')
    assert Cause.MISSING_SIGNATURE == refusal(adyen, empty)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"notificationItems":7}', b"null"])
def test_body_that_cannot_be_read_is_malformed(body, adyen, simulated, refusal):
    assert Cause.MALFORMED == refusal(adyen, replace(simulated(adyen, "captured"), body=body))


def test_empty_body_is_a_probe(adyen, simulated, read):
    assert [] == read(replace(simulated(adyen, "captured"), body=b"", headers=()))
    assert Reply(200, "[accepted]") == adyen.adapter.reply


@pytest.mark.parametrize("value", ["", None])
def test_trailing_and_empty_fields_are_signed_as_empty(value, altered, read):
    delivery = altered("captured", merchantReference=value, amount={}, success="false")
    (event,) = read(delivery)
    assert (None, None) == (event.reference, event.amount)


def test_colons_and_backslashes_are_not_escaped(altered, read):
    (event,) = read(altered("captured", merchantReference=r"a:b\c"))
    assert r"a:b\c" == event.reference


@pytest.mark.parametrize("field", ["pspReference", "originalReference", "merchantAccountCode"])
def test_colon_cannot_move_a_value_into_its_neighbour(field, adyen, altered, refusal):
    assert Cause.MALFORMED == refusal(adyen, altered("captured", sign=False, **{field: "a:b"}))


def test_boolean_success_is_signed_as_its_word(adyen, altered, refusal):
    with_text = altered("captured", success="true")
    body = json.loads(with_text.body)
    body["notificationItems"][0]["NotificationRequestItem"]["success"] = True
    assert refusal(adyen, replace(with_text, body=json.dumps(body).encode())) is None


@pytest.mark.parametrize("password", ["s3cret", "s3cret-päss", "p:a:s:s", "密码"])
def test_basic_auth_comes_on_top(password, instance_of, simulated, refusal):
    credentials = {"username": "hook", "password": password}
    guarded = instance_of("adyen", hmac_keys=[KEY], basic_auth=credentials)
    delivery = simulated(guarded, "captured")
    token = base64.b64encode(f"hook:{password}".encode()).decode()
    assert [f"Basic {token}"] == delivery.header_values("Authorization")
    assert refusal(guarded, delivery) is None
    assert Cause.BAD_CREDENTIALS == refusal(guarded, replace(delivery, headers=()))
    assert Cause.BAD_CREDENTIALS == refusal(guarded, replace(delivery, headers=(), body=b""))
    wrong = replace(delivery, headers=(("authorization", f"Basic {token[:-4]}AAA="),))
    assert Cause.BAD_CREDENTIALS == refusal(guarded, wrong)
    assert password not in repr(guarded.config)


def test_signature_is_needed_behind_good_credentials(instance_of, altered, refusal):
    guarded = instance_of("adyen", hmac_keys=[KEY], basic_auth={"username": "a", "password": "b"})
    unsigned = altered("captured", sign=False, success="false")
    token = base64.b64encode(b"a:b").decode()
    with_token = replace(unsigned, headers=(("Authorization", f"basic {token}"),))
    assert Cause.BAD_SIGNATURE == refusal(guarded, with_token)


@pytest.mark.parametrize(
    ("code", "success", "data", "status", "change"),
    [
        ("CAPTURE", "false", {}, None, "capture_failed"),
        ("CANCELLATION", "false", {}, None, None),
        ("TECHNICAL_CANCEL", "true", {}, "canceled", "voided"),
        ("CANCEL_OR_REFUND", "true", {"modification.action": "cancel"}, "canceled", "voided"),
        ("CANCEL_OR_REFUND", "true", {"modification.action": "refund"}, None, "refunded"),
        ("CANCEL_OR_REFUND", "false", {"modification.action": "refund"}, None, "refund_failed"),
        ("CANCEL_OR_REFUND", "false", {"modification.action": "cancel"}, None, None),
        ("ORDER_CLOSED", "false", {}, "canceled", None),
        ("ORDER_CLOSED", "true", {}, None, None),
        ("REFUND", "false", {}, None, "refund_failed"),
        ("REFUND_WITH_DATA", "true", {}, None, "refunded"),
        ("REFUNDED_REVERSED", "true", {}, None, "refund_failed"),
        ("VOID_PENDING_REFUND", "true", {}, None, None),
        ("NOTIFICATION_OF_CHARGEBACK", "true", {}, None, "disputed"),
        ("REQUEST_FOR_INFORMATION", "true", {}, None, None),
        ("PREARBITRATION_ISSUER_WITHDRAWN", "true", {}, None, "dispute_won"),
        ("DISPUTE_DEFENSE_PERIOD_ENDED", "true", {}, None, "dispute_lost"),
        (TIMEFRAME_EXPIRED, "true", {"disputeStatus": "Won"}, None, "dispute_won"),
        (TIMEFRAME_EXPIRED, "true", {"disputeStatus": "Lost"}, None, "dispute_lost"),
        (TIMEFRAME_EXPIRED, "true", {}, None, None),
        ("PAYOUT_EXPIRE", "true", {}, None, None),
        ("ACH_NOTIFICATION_OF_CHANGE", "true", {}, None, None),
        ("MANUAL_REVIEW_ACCEPT", "true", {}, None, None),
    ],
)
def test_item_means_what_the_table_says(code, success, data, status, change, altered, read):
    delivery = altered("captured", eventCode=code, success=success, additionalData=data)
    (event,) = read(delivery)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)
    assert event.recognized


@pytest.mark.parametrize("word", ["true", "false", "true refund", "AUTHORISATION true", None, {}])
def test_unsigned_data_cannot_turn_a_failure_into_a_success(word, altered, read):
    data = {"modification.action": word, "disputeStatus": word}
    for code in ("AUTHORISATION", "CANCEL_OR_REFUND", "REFUND"):
        delivery = altered("captured", eventCode=code, success="false", additionalData=data)
        (event,) = read(delivery)
        assert "authorized" != event.session_status
        change = event.payment_change
        assert change is None or change.kind == "refund_failed"


def test_cancel_or_refund_without_its_action_is_not_guessed(altered, read):
    (event,) = read(altered("captured", eventCode="CANCEL_OR_REFUND"))
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("code", "own", "original", "expected"),
    [
        ("AUTHORISATION", "OWN", "ORIGINAL", "OWN"),
        ("CAPTURE", "OWN", "ORIGINAL", "ORIGINAL"),
        ("CAPTURE", "OWN", None, None),
        ("EXPIRE", "OWN", None, "OWN"),
        ("OFFER_CLOSED", "OWN", None, "OWN"),
        ("SECOND_CHARGEBACK", "OWN", None, None),
        ("TECHNICAL_CANCEL", "OWN", None, None),
    ],
)
def test_payment_id_is_the_authorisations_own(code, own, original, expected, altered, read):
    delivery = altered("captured", eventCode=code, pspReference=own, originalReference=original)
    (event,) = read(delivery)
    assert expected == event.external_id


def test_refused_and_then_paid_are_two_events(altered, read):
    (refused,) = read(altered("authorized", success="false"))
    (paid,) = read(altered("authorized"))
    assert refused.external_id == paid.external_id
    assert refused.event_id != paid.event_id


def test_auto_capture_takes_the_authorisation_as_the_last_word(instance_of, simulated, read):
    auto = instance_of("adyen", hmac_keys=[KEY], auto_capture=True)
    (paid,) = read(simulated(auto, "authorized"), auto)
    (failed,) = read(simulated(auto, "failed"), auto)
    assert ("authorized", "captured") == (paid.session_status, paid.payment_change.kind)
    assert ("error", None) == (failed.session_status, failed.payment_change)


@pytest.mark.parametrize("kind", ["capture_failed", "captured"])
def test_failed_capture_undoes_what_auto_capture_took(kind, instance_of, altered, read):
    auto = instance_of("adyen", hmac_keys=[KEY], auto_capture=True)
    success = "true" if kind == "capture_failed" else "false"
    (paid,) = read(altered("authorized", pspReference="PAYMENT"), auto)
    changes = {"pspReference": "OWN", "originalReference": "PAYMENT", "success": success}
    (failed,) = read(altered(kind, **changes), auto)
    assert ("captured", "PAYMENT") == (paid.payment_change.kind, paid.payment_change.reference)
    change = failed.payment_change
    assert ("capture_failed", "PAYMENT") == (change.kind, change.reference)
    (alone,) = read(altered(kind, **changes))
    assert "OWN" == alone.payment_change.reference


def test_item_of_a_foreign_account_changes_nothing(instance_of, simulated, read):
    ours = instance_of("adyen", hmac_keys=[KEY], merchant_accounts=["ExampleShopECOM"])
    (event,) = read(simulated(ours, "authorized"), ours)
    assert not event.concerns_payment
    assert "merchant account" in event.detail
    theirs = instance_of("adyen", hmac_keys=[KEY], merchant_accounts=["DevelopmentECOM"])
    (event,) = read(simulated(theirs, "authorized"), theirs)
    assert event.concerns_payment


@pytest.mark.parametrize(
    ("currency", "sent", "expected"),
    [("CLP", 500, 5), ("ISK", 500, 5), ("IDR", 5, 500), ("CVE", 5, 500), ("JPY", 5, 5)],
)
def test_amount_is_in_minor_units_of_iso_4217(currency, sent, expected, altered, read):
    (event,) = read(altered("captured", amount={"currency": currency, "value": sent}))
    assert (expected, currency) == (event.amount, event.currency)


@pytest.mark.parametrize("amount", [{}, {"value": -5, "currency": "EUR"}, {"value": 5}])
def test_capture_without_readable_money_is_malformed(amount, altered, read):
    with pytest.raises(Rejected) as refused:
        read(altered("captured", amount=amount))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(("live", "expected"), [("true", True), ("false", False), (None, None)])
def test_mode_is_told(live, expected, adyen, simulated, read):
    delivery = simulated(adyen, "captured")
    body = json.dumps({**json.loads(delivery.body), "live": live}).encode()
    (event,) = read(replace(delivery, body=body))
    assert expected is event.livemode


@pytest.fixture
def token_created(adyen, simulated, resigned):
    body = {"type": "recurring.token.created", "eventId": "X1", "environment": "live"}
    return resigned(adyen, simulated(adyen, "captured"), body)


def test_header_signed_event_is_recorded_and_does_nothing(token_created, read):
    (event,) = read(token_created)
    assert ("recurring.token.created", "X1", True) == (event.type, event.event_id, event.livemode)
    assert (False, True) == (event.concerns_payment, event.recognized)


def test_header_signed_event_needs_its_header(adyen, token_created, refusal):
    assert Cause.MISSING_SIGNATURE == refusal(adyen, replace(token_created, headers=()))
    tampered = replace(token_created, body=token_created.body + b" ")
    assert Cause.BAD_SIGNATURE == refusal(adyen, tampered)


def test_signed_text_of_an_item_is_no_body(adyen, altered, refusal):
    """Whoever has seen a signed item knows a text and its signature under the same key."""
    item = json.loads(altered("captured").body)["notificationItems"][0]["NotificationRequestItem"]
    text = ":".join(
        [
            item["pspReference"],
            item["originalReference"],
            item["merchantAccountCode"],
            item["merchantReference"],
            str(item["amount"]["value"]),
            item["amount"]["currency"],
            item["eventCode"],
            item["success"],
        ]
    )
    headers = (("hmacsignature", item["additionalData"]["hmacSignature"]),)
    posed = replace(altered("captured"), body=text.encode(), headers=headers)
    assert Cause.MALFORMED == refusal(adyen, posed)
