import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer
from providers.schemes.certificates import system_anchors

HOST = "https://api.sandbox.paypal.com/v1/notifications/certs/"
NAME = "messageverificationcerts.sandbox.paypal.com"
APP = {"client_id": "AZfakeClientId", "client_secret": "EfakeSecret"}
API = "https://api-m.sandbox.paypal.com/v1/"
TOKEN = ApiAnswer(200, b'{"access_token": "A21AAfake", "expires_in": 32400}')
KEY = generate_private_key(65537, 2048)


@pytest.fixture
def paypal(instance_of):
    return instance_of("paypal")


@pytest.fixture
def read(paypal, simulated):
    """The one event of a kind under another type, with fields of its resource replaced."""

    def make(kind, word=None, **changes):
        delivery = simulated(paypal, kind)
        body = json.loads(delivery.body)
        body["event_type"] = word or body["event_type"]
        body["resource"].update(changes)
        told = replace(delivery, body=json.dumps(body).encode())
        (event,) = paypal.adapter.read(told, paypal.config)
        return event

    return make


def with_header(delivery, name, value):
    kept = tuple(pair for pair in delivery.headers if pair[0].lower() != name.lower())
    return replace(delivery, headers=(*kept, (name, value)))


def self_signed(common_name=NAME, until=2120):
    """PEM of a certificate that nobody vouches for but itself, and the key to sign with it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1))  # noqa: DTZ001 - the builder wants it so
        .not_valid_after(datetime(until, 1, 1))  # noqa: DTZ001 - same
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(KEY, hashes.SHA256())
    )
    key = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    return {"certificates": {f"{HOST}CERT-own": pem}, "signing_key": key.decode()}


def converse(instance, delivery, *answers):
    """The requests that settle makes of these answers, and what comes of it."""
    conversation, asked = instance.adapter.settle(delivery, instance.config), []
    try:
        asked.append(next(conversation))
        for answer in answers:
            asked += [conversation.send(answer)]
    except StopIteration as end:
        return asked, list(end.value)
    except Rejected as error:
        return asked, error.cause
    raise AssertionError("it asks for more")


@pytest.mark.parametrize(
    ("kind", "word", "changes", "status", "change"),
    [
        ("created", None, {}, "pending", None),
        ("requires_action", None, {}, "requires_more", None),
        ("created", "CHECKOUT.ORDER.PROCESSED", {}, "pending", None),
        ("created", "CHECKOUT.ORDER.COMPLETED", {}, "authorized", None),
        ("created", "CHECKOUT.ORDER.VOIDED", {}, "canceled", None),
        ("failed", None, {}, "error", None),
        ("canceled", None, {}, "canceled", None),
        ("authorized", None, {}, "authorized", None),
        ("authorized", None, {"status": "PENDING"}, "pending", None),
        ("authorized", None, {"status": "DENIED"}, "error", None),
        ("authorized", None, {"status": None, "state": "authorized"}, "authorized", None),
        ("authorized", None, {"status": None}, None, None),
        ("voided", None, {}, "canceled", "voided"),
        ("captured", None, {}, "authorized", "captured"),
        ("captured", "PAYMENT.SALE.COMPLETED", {}, "authorized", "captured"),
        ("processing", None, {}, "pending", None),
        ("processing", "PAYMENT.SALE.PENDING", {}, "pending", None),
        ("capture_failed", None, {}, "error", "capture_failed"),
        ("capture_failed", "PAYMENT.CAPTURE.DENIED", {}, "error", "capture_failed"),
        ("capture_failed", "PAYMENT.SALE.DENIED", {}, "error", "capture_failed"),
        ("refunded", None, {}, None, "refunded"),
        ("refunded", None, {"status": "PENDING"}, None, None),
        ("refunded", None, {"status": "FAILED"}, None, "refund_failed"),
        ("refunded", None, {"status": "CANCELLED"}, None, "refund_failed"),
        ("refunded", "PAYMENT.SALE.REFUNDED", {}, None, "refunded"),
        ("refunded", "PAYMENT.CAPTURE.REVERSED", {}, None, "refunded"),
        ("refunded", "PAYMENT.SALE.REVERSED", {}, None, "refunded"),
        ("refunded", "PAYMENT.REFUND.PENDING", {}, None, None),
        ("refund_failed", None, {}, None, "refund_failed"),
        ("disputed", None, {}, None, "disputed"),
        ("disputed", "RISK.DISPUTE.CREATED", {}, None, "disputed"),
        ("disputed", "CUSTOMER.DISPUTE.UPDATED", {}, None, None),
        ("other", "PAYMENT.ORDER.CREATED", {}, None, None),
        ("other", "PAYMENT.ORDER.CANCELLED", {}, "canceled", None),
    ],
)
def test_type_and_state_tell_what_it_means(kind, word, changes, status, change, read):
    event = read("ignored" if kind == "other" else kind, word, **changes)
    told = event.payment_change
    assert (status, change) == (event.session_status, told.kind if told else None)


@pytest.mark.parametrize(
    ("outcome", "change"),
    [
        ("RESOLVED_BUYER_FAVOUR", "dispute_lost"),
        ("ACCEPTED", "dispute_lost"),
        ("RESOLVED_SELLER_FAVOUR", "dispute_won"),
        ("RESOLVED_WITH_PAYOUT", "dispute_won"),
        ("CANCELED_BY_BUYER", "dispute_won"),
        ("DENIED", "dispute_won"),
    ],
)
def test_outcome_of_a_dispute_tells_who_won(outcome, change, read):
    event = read("dispute_won", dispute_outcome={"outcome_code": outcome})
    assert (change, 4250) == (event.payment_change.kind, event.amount)


@pytest.mark.parametrize(
    "word", ["PAYMENT.REFUND.PENDING", "PAYMENT.ORDER.CREATED", "CUSTOMER.MANAGED-ACCOUNT.UPDATED"]
)
def test_what_is_no_payments_concern_is_ignored_by_name(word, read):
    event = read("refunded", word)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("outcome", [None, {}, {"outcome_code": "NONE"}])
def test_dispute_without_an_outcome_tells_nothing(outcome, read):
    event = read("dispute_won", dispute_outcome=outcome)
    assert (False, True) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [(["COMPLETED"], "authorized"), (["PENDING"], "pending"), (["DECLINED"], "error")],
)
def test_completed_order_is_as_good_as_its_captures(statuses, expected, read):
    unit = {
        "amount": {"currency_code": "EUR", "value": "1.00"},
        "payments": {"captures": [{"status": status} for status in statuses]},
    }
    event = read("created", "CHECKOUT.ORDER.COMPLETED", purchase_units=[unit])
    assert (expected, 100) == (event.session_status, event.amount)


def test_order_is_found_by_its_id_its_link_or_its_parent(read):
    up = {"rel": "up", "href": "https://api.paypal.com/v2/checkout/orders/5O1"}
    bare = {"supplementary_data": None}
    assert "ext_42" == read("captured").external_id
    assert "5O1" == read("captured", **bare, links=[up]).external_id
    assert "PAY-1" == read("captured", **bare, parent_payment="PAY-1").external_id
    assert "5O1" == read("canceled", id=None, order_id="5O1").external_id
    elsewhere = {"rel": "up", "href": "https://api.paypal.com/v2/payments/authorizations/0V"}
    assert read("captured", **bare, links=[elsewhere, 7, {}]).external_id is None


def test_refund_counts_by_its_own_id_and_names_its_capture(read):
    event = read("refunded", id="1JU")
    assert ("1JU", False) == (event.payment_change.reference, event.payment_change.running_total)
    assert event.external_id.endswith("C")
    assert "payses_01JDTEST" == event.reference


def test_first_version_has_custom_total_and_less_than_nothing(read):
    old = {"amount": {"total": "-0.49", "currency": "USD"}, "custom_id": None, "custom": "mine"}
    event = read("refunded", "PAYMENT.SALE.REVERSED", **old)
    assert (49, "USD", "mine") == (event.amount, event.currency, event.reference)


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [("500", "HUF", 50000), ("500", "JPY", 500), ("20.5", "TWD", 2050), ("0.01", "USD", 1)],
)
def test_amounts_are_texts_in_major_units(value, currency, expected, read):
    event = read("captured", amount={"currency_code": currency, "value": value})
    assert (expected, currency) == (event.amount, event.currency)


@pytest.mark.parametrize("amount", [None, {}, {"value": "1"}, {"currency_code": "EUR"}, "1.00"])
def test_capture_without_readable_money_is_malformed(amount, read):
    with pytest.raises(Rejected) as refused:
        read("captured", amount=amount)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    "url",
    [
        "https://api.sandbox.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://evil.example/https://api.paypal.com/v1/notifications/certs/CERT-1",
        "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://www.paypal.com/v1/notifications/certs/CERT-1",
        "https://apixsandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../../oauth2/token",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?to=evil.example",
        "https://api.paypal.com/v1/notifications/certs/",
        "nonsense",
    ],
)
def test_certificate_of_another_place_is_never_asked_for(
    url, instance_of, paypal, simulated, refusal
):
    downloading = instance_of("paypal", certificates={})
    delivery = with_header(simulated(paypal, "captured"), "PAYPAL-CERT-URL", url)
    assert Cause.UNTRUSTED_CERTIFICATE == refusal(downloading, delivery)


def test_sandbox_certificate_is_nothing_in_live(instance_of, paypal, simulated, refusal):
    live = instance_of("paypal", environment="live", certificates={})
    delivery = simulated(paypal, "captured")
    assert Cause.UNTRUSTED_CERTIFICATE == refusal(live, delivery)
    moved = with_header(delivery, "PAYPAL-CERT-URL", HOST.replace(".sandbox", "") + "CERT-1")
    assert refusal(live, moved) is None


@pytest.mark.parametrize("settings", [{}, {"until": 2025}, {"common_name": "www.paypal.com"}])
def test_certificate_that_nobody_vouches_for_is_refused(settings, instance_of, simulated, refusal):
    own = instance_of("paypal", **self_signed(**settings))
    assert Cause.UNTRUSTED_CERTIFICATE == refusal(own, simulated(own, "captured"))


@pytest.mark.parametrize("settings", [{"until": 2025}, {"common_name": "www.paypal.com"}])
def test_anchor_helps_no_certificate_that_is_old_or_anothers(
    settings, instance_of, simulated, refusal
):
    own = self_signed(**settings)
    anchored = instance_of("paypal", **own, trust_anchors=list(own["certificates"].values()))
    assert Cause.UNTRUSTED_CERTIFICATE == refusal(anchored, simulated(anchored, "captured"))


def test_paypal_is_asked_where_no_chain_can_be_built(instance_of, simulated):
    own = instance_of("paypal", **self_signed(), **APP)
    delivery = simulated(own, "captured")
    assert not own.adapter.verify(delivery, own.config).settled
    success = ApiAnswer(200, b'{"verification_status": "SUCCESS"}')
    asked, (event,) = converse(own, delivery, TOKEN, success)
    assert [f"{API}oauth2/token", f"{API}notifications/verify-webhook-signature"] == [
        request.url for request in asked
    ]
    assert "captured" == event.payment_change.kind


@pytest.mark.parametrize("algorithm", ["SHA1withRSA", "SHA512withRSA", "none"])
def test_no_other_algorithm_is_taken(algorithm, paypal, simulated, refusal):
    delivery = simulated(paypal, "captured")
    other = with_header(delivery, "PAYPAL-AUTH-ALGO", algorithm)
    assert Cause.BAD_SIGNATURE == refusal(paypal, other)
    odd = with_header(delivery, "PAYPAL-AUTH-ALGO", "sha256WITHrsa")
    assert refusal(paypal, odd) is None


def test_certificate_that_was_not_configured_is_downloaded(instance_of, paypal, simulated):
    downloading = instance_of("paypal", certificates={})
    delivery = simulated(paypal, "captured")
    assert not downloading.adapter.verify(delivery, downloading.config).settled
    ((url, pem),) = paypal.config.certificates.items()
    (asked,), (event,) = converse(downloading, delivery, ApiAnswer(200, pem.encode()))
    assert ("GET", url, 86_400) == (asked.method, asked.url, asked.cache_seconds)
    assert "captured" == event.payment_change.kind
    spoilt = replace(delivery, body=delivery.body.replace(b"42.50", b"42.51"))
    assert Cause.BAD_SIGNATURE == converse(downloading, spoilt, ApiAnswer(200, pem.encode()))[1]
    for answer in (ApiAnswer(404, b""), ApiAnswer(302, b""), ApiAnswer(200, b"<html>")):
        assert Cause.UNTRUSTED_CERTIFICATE == converse(downloading, delivery, answer)[1]


def test_postback_sends_the_body_as_it_came(instance_of, paypal, simulated):
    asking = instance_of("paypal", mode="postback", **APP)
    delivery = replace(simulated(paypal, "captured"), body='{ "a" : "é",\n"b":1.10}'.encode())
    asked, outcome = converse(asking, delivery, TOKEN, ApiAnswer(200, b"{}"))
    assert Cause.BAD_SIGNATURE == outcome
    token, question = asked
    basic = base64.b64encode(b"AZfakeClientId:EfakeSecret").decode()
    assert f"Basic {basic}" == dict(token.headers)["Authorization"]
    assert "Bearer A21AAfake" == dict(question.headers)["Authorization"]
    assert b'"webhook_event": ' + delivery.body + b"}" in question.body
    assert "DEVELOPMENT0WEBHOOK" == json.loads(question.body)["webhook_id"]


@pytest.mark.parametrize(
    "body", [b'{}, "webhook_id": "x"', b"[1]", b"", b'{}} {"a":1', b"\xff", b'{"a":1,"a":2}']
)
def test_nothing_hides_in_the_question(body, instance_of, paypal, simulated):
    asking = instance_of("paypal", mode="postback", **APP)
    delivery = replace(simulated(paypal, "captured"), body=body)
    assert ([], Cause.MALFORMED) == converse(asking, delivery)


@pytest.mark.parametrize("answer", [(401, b""), (200, b"no json"), (200, b'{"access_token": 1}')])
def test_paypal_that_does_not_let_us_ask_proves_nothing(answer, instance_of, paypal, simulated):
    asking = instance_of("paypal", mode="postback", **APP)
    asked = converse(asking, simulated(paypal, "captured"), ApiAnswer(*answer))
    assert Cause.UNVERIFIABLE == asked[1]


def test_postback_needs_the_apps_credentials(instance_of, paypal, simulated, refusal):
    asking = instance_of("paypal", mode="postback")
    assert Cause.NOT_CONFIGURED == refusal(asking, simulated(paypal, "captured"))


def test_certificate_is_judged_by_the_receipt(paypal, simulated, refusal):
    delivery = simulated(paypal, "captured")
    week = replace(delivery, received_at=delivery.received_at + timedelta(days=7))
    assert refusal(paypal, week) is None
    late = replace(delivery, received_at=datetime(2121, 1, 1, tzinfo=UTC))
    assert Cause.UNTRUSTED_CERTIFICATE == refusal(paypal, late)


def test_roots_of_the_system_are_taken_where_none_are_given(instance_of, paypal, simulated):
    plain = instance_of("paypal", trust_anchors=list(system_anchors()), **APP)
    delivery = simulated(paypal, "captured")
    assert not plain.adapter.verify(delivery, plain.config).settled
