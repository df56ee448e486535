import base64
import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from gateway.domain.errors import Cause, Rejected
from providers.contract import ApiAnswer
from providers.schemes.certificates import private_key
from providers.schemes.sns import SnsEnvelope
from providers.simulator import api_calls

KEY = generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
).decode()
HOST = "https://sns.eu-west-1.amazonaws.com"


@pytest.fixture
def amazon(instance_of):
    return instance_of("amazon_pay")


@pytest.fixture
def settle(amazon, simulated, payment, at):
    """The one event of a kind, with fields of the API's answer replaced."""

    def make(kind, instance=amazon, **changes):
        delivery = simulated(instance, kind)
        (call,) = api_calls(instance, kind, payment, event_id=f"evt_{kind}", at=at)
        body = json.loads(call.body) | changes
        _, (event,) = converse(instance, delivery, ApiAnswer(200, json.dumps(body).encode()))
        return event

    return make


@pytest.fixture
def altered(amazon, simulated):
    """A captured delivery with fields of its envelope replaced, and not signed again."""

    def make(**changes):
        delivery = simulated(amazon, "captured")
        body = json.loads(delivery.body) | changes
        kept = {name: value for name, value in body.items() if value is not None}
        return replace(delivery, body=json.dumps(kept).encode())

    return make


@pytest.fixture
def told(amazon, simulated, resigned):
    """A captured delivery whose envelope and message say otherwise, signed for that."""

    def make(message=None, **changes):
        delivery = simulated(amazon, "captured")
        body = json.loads(delivery.body) | changes
        if message is not None:
            body["Message"] = json.dumps(json.loads(body["Message"]) | message)
        return resigned(amazon, delivery, body)

    return make


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
    ("kind", "status", "change"),
    [
        ("processing", "pending", None),
        ("authorized", "authorized", None),
        ("captured", "authorized", "captured"),
        ("failed", "error", None),
        ("capture_failed", "error", "capture_failed"),
        ("canceled", "canceled", "voided"),
        ("refunded", None, "refunded"),
        ("refund_failed", None, "refund_failed"),
    ],
)
def test_fetched_state_tells_what_it_means(kind, status, change, settle):
    event = settle(kind)
    told = event.payment_change
    assert (status, change) == (event.session_status, told.kind if told else None)
    assert ("ext_42", 4250, "EUR") == (event.external_id, event.amount, event.currency)
    assert event.livemode is False


@pytest.mark.parametrize(
    ("kind", "state", "status"),
    [("captured", "CaptureInitiated", "authorized"), ("refunded", "RefundInitiated", None)],
)
def test_step_on_the_way_is_no_end(kind, state, status, settle):
    event = settle(kind, statusDetails={"state": state})
    assert (status, None, True) == (event.session_status, event.payment_change, event.recognized)


def test_state_never_heard_of_does_nothing(settle):
    event = settle("captured", statusDetails={"state": "Teleported"})
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_captured_amount_counts_where_less_was_captured(settle):
    less = {"amount": "10.00", "currencyCode": "EUR"}
    assert 1000 == settle("captured", captureAmount=less).amount
    assert 4250 == settle("authorized", captureAmount=less).amount
    none = {"amount": "0.00", "currencyCode": "EUR"}
    assert settle("failed", captureAmount=none).payment_change is None


def test_yen_has_no_decimals(settle):
    yen = {"amount": "4250", "currencyCode": "JPY"}
    event = settle("authorized", chargeAmount=yen)
    assert (4250, "JPY") == (event.amount, event.currency)


def test_chargeback_is_told_by_the_message_alone(amazon, simulated):
    delivery = simulated(amazon, "disputed")
    assert amazon.adapter.verify(delivery, amazon.config).settled
    (event,) = amazon.adapter.read(delivery, amazon.config)
    assert ("P-ext_42", "disputed") == (event.external_id, event.payment_change.kind)
    assert event.amount is None


@pytest.mark.parametrize("kind", ["ignored", "unknown", "disputed"])
def test_what_cannot_change_anything_is_not_fetched(kind, amazon, simulated):
    assert amazon.adapter.verify(simulated(amazon, kind), amazon.config).settled


@pytest.mark.parametrize("kind", ["CHARGE Captured", "REFUND Refunded", "BUYER"])
def test_type_that_spells_a_state_says_nothing(kind, amazon, told):
    (event,) = amazon.adapter.read(told({"ObjectType": kind}), amazon.config)
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_subscription_is_verified_and_its_url_left_alone(kind, amazon, told):
    delivery = told(Type=kind, Token="t", SubscribeURL=f"{HOST}/?Action=ConfirmSubscription")
    assert amazon.adapter.verify(delivery, amazon.config).settled
    (event,) = amazon.adapter.read(delivery, amazon.config)
    assert (kind, False, True) == (event.type, event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"Message": "{}"}, Cause.BAD_SIGNATURE),
        ({"MessageId": "other"}, Cause.BAD_SIGNATURE),
        ({"TopicArn": "arn:aws:sns:eu-west-1:1:other"}, Cause.BAD_SIGNATURE),
        ({"Subject": "added"}, Cause.BAD_SIGNATURE),
        ({"UnsubscribeURL": "anything"}, None),
        ({"SignatureVersion": "1"}, Cause.BAD_SIGNATURE),
        ({"SignatureVersion": "3"}, Cause.BAD_SIGNATURE),
        ({"Signature": "AAAA"}, Cause.BAD_SIGNATURE),
        ({"Signature": "é"}, Cause.BAD_SIGNATURE),
        ({"Signature": None}, Cause.MISSING_SIGNATURE),
        ({"SigningCertURL": None}, Cause.MISSING_SIGNATURE),
        ({"SignatureVersion": 2}, Cause.MISSING_SIGNATURE),
        ({"Timestamp": None}, Cause.MALFORMED),
        ({"Timestamp": "yesterday"}, Cause.MALFORMED),
        ({"Type": "Other"}, Cause.MALFORMED),
    ],
)
def test_signed_fields_count_and_no_others(changes, cause, amazon, altered, refusal):
    assert cause == refusal(amazon, altered(**changes))


def test_subject_is_signed_where_there_is_one(amazon, told, refusal):
    assert refusal(amazon, told(Subject="Payment")) is None


def test_first_version_may_be_turned_off(instance_of, amazon, altered, refusal):
    delivery = altered(SignatureVersion="1")
    content = SnsEnvelope.of(delivery.body).content()
    key = private_key(amazon.config.signing_key)
    made = base64.b64encode(key.sign(content, PKCS1v15(), hashes.SHA1())).decode()
    delivery = altered(SignatureVersion="1", Signature=made)
    assert refusal(amazon, delivery) is None
    strict = instance_of("amazon_pay", require_version_2=True)
    assert Cause.BAD_SIGNATURE == refusal(strict, delivery)


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/x.pem",
        "http://sns.eu-west-1.amazonaws.com/x.pem",
        f"{HOST}:8443/x.pem",
        f"{HOST}/x.pem?a=.pem",
        f"{HOST}/../x.pem",
        f"{HOST}/x.txt",
        "https://sns.amazonaws.com/x.pem",
        "https://sns.x.amazonaws.com/x.pem",
        "https://bucket.s3.amazonaws.com/x.pem",
    ],
)
def test_certificate_of_another_place_is_never_asked_for(url, instance_of, altered, refusal):
    downloading = instance_of("amazon_pay", certificates={})
    assert Cause.UNTRUSTED_CERTIFICATE == refusal(downloading, altered(SigningCertURL=url))


def test_certificate_is_downloaded_and_judged_before_the_object_is_asked_for(
    instance_of, amazon, simulated
):
    downloading = instance_of("amazon_pay", certificates={})
    delivery = simulated(amazon, "captured")
    assert not downloading.adapter.verify(delivery, downloading.config).settled
    ((url, pem),) = amazon.config.certificates.items()
    asked, outcome = converse(
        downloading, delivery, ApiAnswer(200, pem.encode()), ApiAnswer(404, b"")
    )
    assert (url, Cause.UNKNOWN_PAYMENT) == (asked[0].url, outcome)
    spoilt = replace(delivery, body=delivery.body.replace(b"ext_42", b"ext_43"))
    asked, outcome = converse(downloading, spoilt, ApiAnswer(200, pem.encode()))
    assert ([url], Cause.BAD_SIGNATURE) == ([request.url for request in asked], outcome)


def test_anchors_must_vouch_where_there_are_any(instance_of, amazon, simulated, refusal):
    delivery = simulated(amazon, "captured")
    others = list(instance_of("paypal").config.trust_anchors)
    for anchors, cause in (([], None), (others, Cause.UNTRUSTED_CERTIFICATE)):
        assert cause == refusal(instance_of("amazon_pay", trust_anchors=anchors), delivery)


def test_message_for_another_merchant_is_refused(instance_of, amazon, told, simulated, refusal):
    assert Cause.UNKNOWN_PAYMENT == refusal(amazon, told({"MerchantID": "AOTHER"}))
    listed = instance_of("amazon_pay", topic_arns=["arn:aws:sns:eu-west-1:1:other"])
    assert Cause.UNKNOWN_KEY == refusal(listed, simulated(amazon, "captured"))


def test_header_must_name_the_topic_of_the_body(amazon, simulated, refusal):
    delivery = simulated(amazon, "captured")
    other = (*delivery.headers, ("X-Amz-Sns-Topic-Arn", "arn:aws:sns:eu-west-1:1:other"))
    assert Cause.BAD_SIGNATURE == refusal(amazon, replace(delivery, headers=other))


@pytest.mark.parametrize(
    ("region", "public_key_id", "url"),
    [
        ("na", "LIVE-A", "https://pay-api.amazon.com/v2/charges/ext_42"),
        ("jp", "SANDBOX-A", "https://pay-api.amazon.jp/v2/charges/ext_42"),
        ("eu", "AOLDKEY", "https://pay-api.amazon.eu/sandbox/v2/charges/ext_42"),
    ],
)
def test_request_goes_to_the_region_and_is_signed(
    region, public_key_id, url, instance_of, simulated, at
):
    instance = instance_of(
        "amazon_pay", region=region, public_key_id=public_key_id, private_key=PEM
    )
    (asked,), outcome = converse(instance, simulated(instance, "captured"), ApiAnswer(403, b""))
    assert (url, Cause.UNVERIFIABLE) == (asked.url, outcome)
    sent = dict(asked.timed_headers(at))
    scheme, _, said = sent.pop("authorization").partition(" ")
    key_id, names, signature = (part.partition("=")[2] for part in said.split(", "))
    assert ("AMZN-PAY-RSASSA-PSS-V2", public_key_id) == (scheme, key_id)
    assert (sorted(sent), f"{at:%Y%m%dT%H%M%SZ}") == (names.split(";"), sent["x-amz-pay-date"])
    lines = [f"{name}:{value}" for name, value in sent.items()]
    path = url.removeprefix(f"https://{sent['x-amz-pay-host']}")
    canonical = "\n".join(["GET", path, "", *lines, "", names, sha256(b"").hexdigest()])
    content = f"{scheme}\n{sha256(canonical.encode()).hexdigest()}".encode()
    padding = PSS(MGF1(hashes.SHA256()), 32)
    KEY.public_key().verify(base64.b64decode(signature), content, padding, hashes.SHA256())


@pytest.mark.parametrize("object_id", ["", "../refunds/1", "a/b", "é", 7.5, None])
def test_id_that_is_none_is_never_asked_for(object_id, amazon, told):
    assert ([], Cause.MALFORMED) == converse(amazon, told({"ObjectId": object_id}))


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (404, b"", Cause.UNKNOWN_PAYMENT),
        (401, b"", Cause.UNVERIFIABLE),
        (200, b"[]", Cause.MALFORMED),
        (200, b'{"chargeId": "other", "statusDetails": {"state": "Captured"}}', Cause.MALFORMED),
        (200, b'{"chargeId": "ext_42", "statusDetails": {"state": "Captured"}}', Cause.MALFORMED),
    ],
)
def test_answer_that_is_none_settles_nothing(status, body, cause, amazon, simulated):
    asked = converse(amazon, simulated(amazon, "captured"), ApiAnswer(status, body))
    assert cause == asked[1]


def test_repeated_message_has_the_same_key(amazon, simulated):
    delivery = simulated(amazon, "captured")
    again = replace(delivery, received_at=delivery.received_at + timedelta(days=14))
    assert b"evt_captured" == amazon.adapter.key(again, amazon.config)
    assert amazon.adapter.verify(again, amazon.config)
