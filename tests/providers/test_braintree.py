from base64 import b64encode
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.schemes.form_hmac import form_fields
from providers.schemes.signed_form import keyed_hash

MONEY = "<amount>100.00</amount><currency-iso-code>USD</currency-iso-code>"
PUBLIC = "developmentpublickey"


@pytest.fixture
def braintree(instance_of):
    return instance_of("braintree")


@pytest.fixture
def signed(braintree, at):
    """A delivery of a notification's inner XML."""

    def make(kind, subject="", stamp="2025-11-24T16:00:00Z", root="notification"):
        text = f"<timestamp>{stamp}</timestamp><kind>{kind}</kind><subject>{subject}</subject>"
        body = f"<{root}>{text}</{root}>".encode()
        delivery = Delivery("braintree", body, (), at)
        return braintree.adapter.scheme.sign(delivery, braintree.config)

    return make


@pytest.fixture
def read(braintree, signed):
    def make(kind, subject="", **details):
        (event,) = braintree.adapter.read(signed(kind, subject, **details), braintree.config)
        return event

    return make


@pytest.fixture
def form(braintree, simulated):
    """A captured delivery's form, with fields of it replaced."""

    def make(**changes):
        delivery = simulated(braintree, "captured")
        fields = {**form_fields(delivery.body), **changes}
        kept = {name: value for name, value in fields.items() if value is not None}
        return replace(delivery, body=urlencode(kept).encode())

    return make


def transaction(kind="sale", status="settled", more=MONEY):
    told = f"<id>t1</id><type>{kind}</type><status>{status}</status><order-id>s1</order-id>"
    return f"<transaction>{told}{more}</transaction>"


def local(inner=""):
    return f"<local-payment><payment-id>PAY-1</payment-id>{inner}</local-payment>"


def dispute(kind="chargeback"):
    inner = "<transaction><id>t1</id><order-id>s1</order-id></transaction>"
    return f"<dispute><id>d1</id><kind>{kind}</kind>{MONEY}{inner}</dispute>"


@pytest.mark.parametrize(
    ("kind", "subject", "status", "change"),
    [
        ("local_payment_completed", local(transaction(status="authorized")), "authorized", None),
        ("local_payment_completed", local(transaction(status="authorizing")), "authorized", None),
        (
            "local_payment_completed",
            local(transaction(status="settling")),
            "authorized",
            "captured",
        ),
        (
            "local_payment_completed",
            local(transaction(status="submitted_for_settlement")),
            "authorized",
            "captured",
        ),
        ("local_payment_completed", local(transaction()), "authorized", "captured"),
        ("local_payment_completed", local(), "requires_more", None),
        ("local_payment_funded", local(transaction()), "authorized", "captured"),
        ("local_payment_expired", local(), "canceled", None),
        ("local_payment_reversed", local(), "canceled", "refunded"),
        ("transaction_settled", transaction(), "authorized", "captured"),
        ("transaction_settled", transaction(""), "authorized", "captured"),
        ("transaction_settled", transaction("credit"), None, "refunded"),
        ("transaction_settlement_declined", transaction(), "error", "capture_failed"),
        ("transaction_settlement_declined", transaction("credit"), None, "refund_failed"),
        ("transaction_retried", transaction(), "pending", None),
        ("refund_failed", transaction("credit"), None, "refund_failed"),
        ("dispute_opened", dispute(), None, "disputed"),
        ("dispute_opened", dispute("pre_arbitration"), None, "disputed"),
        ("dispute_won", dispute(), None, "dispute_won"),
        ("dispute_lost", dispute(), None, "dispute_lost"),
        ("dispute_accepted", dispute(), None, "dispute_lost"),
        ("dispute_auto_accepted", dispute(), None, "dispute_lost"),
        ("dispute_expired", dispute(), None, "dispute_lost"),
    ],
)
def test_kind_and_state_tell_what_it_means(kind, subject, status, change, read):
    event = read(kind, subject)
    told = event.payment_change
    assert (status, change) == (event.session_status, told.kind if told else None)


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("dispute_opened", dispute("retrieval")),
        ("dispute_under_review", dispute()),
        ("dispute_disputed", dispute()),
        ("check", "<check type='boolean'>true</check>"),
        (
            "transaction_reviewed",
            "<transaction-review><decision>approve</decision></transaction-review>",
        ),
        ("transaction_disbursed", transaction(more="<amount>100</amount>")),
        ("disbursement", "<disbursement><id>1</id></disbursement>"),
        ("disbursement_exception", ""),
        ("subscription_charged_successfully", "<subscription><id>1</id></subscription>"),
        ("account_updater_daily_report", ""),
        ("grantor_updated_granted_payment_method", ""),
        ("granted_payment_instrument_revoked", ""),
        ("recipient_updated_granted_payment_method", ""),
        ("payment_method_customer_data_updated", ""),
        ("partner_merchant_connected", ""),
        ("connected_merchant_status_transitioned", ""),
        ("oauth_access_revoked", ""),
    ],
)
def test_what_is_no_payments_concern_is_ignored_by_name(kind, subject, read):
    event = read(kind, subject)
    assert (False, True) == (event.concerns_payment, event.recognized)


def test_payment_is_the_transaction_or_before_it_the_local_payment(read):
    assert "PAY-1" == read("local_payment_completed", local()).external_id
    assert "t1" == read("local_payment_completed", local(transaction())).external_id
    disputed = read("dispute_opened", dispute())
    assert ("t1", "d1", "s1") == (
        disputed.external_id,
        disputed.payment_change.reference,
        disputed.reference,
    )


def test_subject_may_have_its_kinds_name(read):
    inner = f"<payment-id>PAY-1</payment-id>{transaction()}"
    event = read("local_payment_funded", f"<local-payment-funded>{inner}</local-payment-funded>")
    assert ("t1", "s1", 10000) == (event.external_id, event.reference, event.amount)


def test_reversal_need_not_say_how_much(read):
    inner = "<payment-id>PAY-1</payment-id><amount/>"
    event = read(
        "local_payment_reversed", f"<local-payment-reversed>{inner}</local-payment-reversed>"
    )
    assert ("PAY-1", "refunded", None) == (
        event.external_id,
        event.payment_change.kind,
        event.amount,
    )


def test_dispute_is_not_its_own_payment(read):
    alone = f"<dispute><id>d1</id><kind>chargeback</kind>{MONEY}</dispute>"
    event = read("dispute_opened", alone)
    assert (None, "d1", 10000) == (event.external_id, event.payment_change.reference, event.amount)


def test_refund_belongs_to_the_sale_it_gives_back(read):
    sale = "<refunded-transaction-id>t0</refunded-transaction-id>" + MONEY
    event = read("transaction_settled", transaction("credit", more=sale))
    assert ("t0", "t1") == (event.external_id, event.payment_change.reference)
    internal = "<refunded-transaction-fk>7</refunded-transaction-fk>" + MONEY
    assert read("refund_failed", transaction("credit", more=internal)).external_id is None


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("100.00", "USD", 10000), ("100", "EUR", 10000), ("12050", "JPY", 12050), ("1", "KWD", 1000)],
)
def test_amounts_are_texts_in_major_units(amount, currency, expected, read):
    more = f"<amount>{amount}</amount><currency-iso-code>{currency}</currency-iso-code>"
    event = read("transaction_settled", transaction(more=more))
    assert (expected, currency) == (event.amount, event.currency)


@pytest.mark.parametrize("more", ["", "<currency-iso-code nil='true'/>"])
def test_amount_without_its_currency_tells_nothing(more, read):
    event = read("transaction_settled", transaction(more=f"<amount>100</amount>{more}"))
    assert (None, None) == (event.amount, event.currency)
    assert "captured" == event.payment_change.kind


def test_reference_may_stand_in_a_custom_field(instance_of, signed):
    more = f"<custom-fields><session-id>s2</session-id></custom-fields>{MONEY}"
    named = transaction(more=more)
    unnamed = named.replace("<order-id>s1</order-id>", "<order-id nil='true'/>")
    instance = instance_of("braintree", custom_field="session_id")
    for subject, expected in ((named, "s1"), (unnamed, "s2")):
        told = signed("transaction_settled", subject)
        (event,) = instance.adapter.read(told, instance.config)
        assert expected == event.reference


@pytest.mark.parametrize(
    "subject",
    [
        transaction(more=""),
        transaction(more=MONEY.replace("100.00", "much")),
        transaction(more=MONEY.replace("100.00", "-1")),
        transaction().replace("<id>t1</id>", ""),
        "",
    ],
)
def test_settled_transaction_without_id_or_money_is_malformed(subject, read):
    with pytest.raises(Rejected) as refused:
        read("transaction_settled", subject)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    "body",
    [
        b"no xml",
        b"",
        b"<notification/>",
        b"<notification><kind>check</kind></notification>",
        b"<other><kind>check</kind><timestamp>2025-11-24T16:00:00Z</timestamp></other>",
        b"<!DOCTYPE n [<!ENTITY a 'b'>]><notification><kind>&a;</kind></notification>",
        b"<!DOCTYPE n SYSTEM 'http://127.0.0.1/'><notification/>",
        b"<?xml version='1.0' encoding='moon'?><notification/>",
        b"<a>" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_payload_that_is_no_notification_is_malformed(body, braintree, at):
    text = b64encode(body).decode() + "\n"
    form = urlencode({"bt_signature": "x", "bt_payload": text}).encode()
    delivery = braintree.adapter.scheme.sign(Delivery("braintree", form, (), at), braintree.config)
    assert braintree.adapter.verify(delivery, braintree.config)
    with pytest.raises(Rejected) as refused:
        list(braintree.adapter.read(delivery, braintree.config))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"bt_signature": None}, Cause.MISSING_SIGNATURE),
        ({"bt_signature": ""}, Cause.MISSING_SIGNATURE),
        ({"bt_payload": None}, Cause.MALFORMED),
        ({"bt_payload": "AAAA"}, Cause.BAD_SIGNATURE),
        ({"bt_payload": "AA AA"}, Cause.BAD_SIGNATURE),
        ({"bt_payload": "<xml/>"}, Cause.BAD_SIGNATURE),
        ({"bt_signature": "anotherkey|0000"}, Cause.UNKNOWN_KEY),
        ({"bt_signature": PUBLIC}, Cause.BAD_SIGNATURE),
        ({"bt_signature": f"{PUBLIC}|é"}, Cause.BAD_SIGNATURE),
    ],
)
def test_form_without_our_signature_is_refused(changes, cause, form, braintree, refusal):
    assert cause == refusal(braintree, form(**changes))


def test_our_pair_is_found_among_several(form, braintree, refusal):
    ours = form_fields(form().body)["bt_signature"]
    for made in (f"other|00&{ours}", f"{ours}&other|00", f"{PUBLIC}|00&{ours}"):
        assert refusal(braintree, form(bt_signature=made)) is None


def test_newline_that_was_trimmed_is_missed_by_nobody(form, braintree, refusal):
    trimmed = form_fields(form().body)["bt_payload"].removesuffix("\n")
    assert refusal(braintree, form(bt_payload=trimmed)) is None
    assert Cause.BAD_SIGNATURE == refusal(braintree, form(bt_payload=trimmed[:-1]))
    assert Cause.BAD_SIGNATURE == refusal(braintree, form(bt_payload=f"{trimmed}\n\n"))


def test_plus_that_came_as_a_space_is_refused(signed, braintree, refusal):
    delivery = signed("check", "<a>~~~>>>???</a>" * 9)
    bare = replace(delivery, body=delivery.body.replace(b"%2B", b"+"))
    assert delivery.body != bare.body
    assert Cause.BAD_SIGNATURE == refusal(braintree, bare)


def test_second_key_pair_is_as_good(instance_of, form, refusal):
    instance = instance_of(
        "braintree", public_key=["newkey", PUBLIC], private_key=["new", "development_not_a_secret"]
    )
    assert "private_key[1]" == instance.adapter.verify(form(), instance.config).secret


def test_challenge_is_answered_with_its_hash(braintree, at):
    asked = "20f9f8ed05f77439fe955c977e4c8a53"
    delivery = Delivery("b", b"", (), at, method="GET", query=f"bt_challenge={asked}")
    reply = braintree.adapter.handshake(delivery, braintree.config)
    expected = f"{PUBLIC}|{keyed_hash(braintree.config.private_key[0], asked)}"
    assert (200, expected) == (reply.status, reply.body)
    assert braintree.adapter.handshake(replace(delivery, method="POST"), braintree.config) is None
    assert braintree.adapter.handshake(replace(delivery, query="a=1"), braintree.config) is None


@pytest.mark.parametrize("asked", ["abc", "G" * 20, "a" * 33, "A" * 20, f"{'a' * 20}%0A", "é" * 20])
def test_challenge_of_another_form_is_refused(asked, braintree, at):
    delivery = Delivery("b", b"", (), at, method="GET", query=f"bt_challenge={asked}")
    with pytest.raises(Rejected) as refused:
        braintree.adapter.handshake(delivery, braintree.config)
    assert Cause.MALFORMED == refused.value.cause


def test_event_is_known_by_kind_subject_and_time(read):
    events = {
        read("transaction_settled", transaction()).event_id,
        read("transaction_settled", transaction()).event_id,
        read("transaction_retried", transaction()).event_id,
        read("transaction_settled", transaction(), stamp="2025-11-24T17:00:00Z").event_id,
    }
    assert 3 == len(events)
    assert "transaction_settled:t1:2025-11-24T16:00:00Z" in events
