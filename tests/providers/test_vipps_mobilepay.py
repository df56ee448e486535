import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected

PATH, QUERY, HOST = "/webhooks/vipps%20shop", "tenant=acme&x=%C3%A9", "shop.example.com"


@pytest.fixture
def shop(instance_of):
    """Behind a proxy: the URL is the registered one, whatever the request's is."""
    return instance_of("vipps_mobilepay")


@pytest.fixture
def direct(instance_of):
    return instance_of("vipps_mobilepay", webhook_url="")


@pytest.fixture
def delivered(direct, shop, simulated):
    """A delivery signed for its own host, path and query."""
    bare = simulated(shop, "captured")
    bare = replace(bare, headers=(("Host", HOST),), path=PATH, query=QUERY)
    return direct.adapter.scheme.sign(bare, direct.config)


@pytest.fixture
def read(shop, simulated, resigned):
    """The one event of a body, with some of its fields replaced (None: left out)."""

    def make(kind="captured", **changes):
        delivery = simulated(shop, kind)
        body = json.loads(delivery.body) | changes
        body = {name: value for name, value in body.items() if value is not None}
        (event,) = shop.adapter.read(resigned(shop, delivery, body), shop.config)
        return event

    return make


def with_header(delivery, name, value):
    kept = tuple(pair for pair in delivery.headers if pair[0].lower() != name.lower())
    return replace(delivery, headers=kept if value is None else (*kept, (name, value)))


def said(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize(
    ("name", "success", "expected"),
    [
        ("CREATED", True, ("pending", None)),
        ("AUTHORIZED", True, ("authorized", None)),
        ("AUTHORIZED", False, ("error", None)),
        ("ABORTED", True, ("canceled", None)),
        ("EXPIRED", True, ("canceled", None)),
        ("TERMINATED", True, ("canceled", None)),
        ("CANCELLED", True, ("canceled", "voided")),
        ("CAPTURED", True, (None, "captured")),
        ("CAPTURED", False, (None, "capture_failed")),
        ("REFUNDED", True, (None, "refunded")),
        ("REFUNDED", False, (None, "refund_failed")),
        ("CANCELLED", False, (None, None)),
        ("TERMINATED", False, (None, None)),
    ],
)
def test_event_means_what_the_table_says(name, success, expected, read):
    event = read(name=name, success=success)
    assert (name, *expected, True) == (event.type, *said(event), event.recognized)


@pytest.mark.parametrize(
    ("name", "success"), [("TELEPORTED", True), ("CREATED", False), ("captured", True)]
)
def test_unheard_of_event_is_recorded_and_does_nothing(name, success, read):
    event = read(name=name, success=success)
    assert (False, False) == (event.concerns_payment, event.recognized)


@pytest.mark.parametrize(
    ("body", "kind", "recognized"),
    [
        ({"eventType": "recurring.charge-captured.v1"}, "recurring.charge-captured.v1", True),
        ({"eventType": "login.requested.v1"}, "login.requested.v1", True),
        ({"customerToken": "x", "msn": "123456", "merchantQrId": "q"}, "qr", True),
        ({"eventType": "moon.landed.v1"}, "moon.landed.v1", False),
    ],
)
def test_other_families_are_no_payments(body, kind, recognized, shop, simulated, resigned):
    delivery = resigned(shop, simulated(shop, "captured"), body)
    (event,) = shop.adapter.read(delivery, shop.config)
    assert (kind, False, recognized) == (event.type, event.concerns_payment, event.recognized)


def test_reference_is_the_merchants_own_and_the_only_id(read):
    event = read()
    assert ("payses_01JDTEST", "payses_01JDTEST") == (event.external_id, event.reference)


def test_event_id_is_made_of_the_facts(read):
    assert "123456:r:CAPTURED:p:true" == read(reference="r", pspReference="p").event_id
    assert read(idempotencyKey="a").event_id == read(idempotencyKey=None).event_id
    failed = read(success=False)
    assert failed.event_id != read().event_id
    assert failed.payment_change.reference == read().payment_change.reference


def test_partial_captures_are_two(read):
    told = [read(pspReference=own, amount={"currency": "NOK", "value": 100}) for own in "ab"]
    assert {"a", "b"} == {event.payment_change.reference for event in told}
    assert [100, 100] == [event.amount for event in told]


@pytest.mark.parametrize("name", ["CREATED", "ABORTED", "EXPIRED", "TERMINATED", "CANCELLED"])
def test_event_that_moves_no_money_may_tell_none(name, read):
    event = read(name=name, amount=None)
    assert (True, None) == (event.concerns_payment, event.amount)


@pytest.mark.parametrize("amount", [None, {}, {"value": 1}, {"value": "1", "currency": "NOK"}])
def test_event_without_its_money_is_malformed(amount, read):
    with pytest.raises(Rejected) as refused:
        read(amount=amount)
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize("field", ["msn", "reference", "pspReference", "name", "success"])
def test_event_without_a_required_field_is_malformed(field, read):
    with pytest.raises(Rejected) as refused:
        read(**{field: None})
    assert Cause.MALFORMED == refused.value.cause


def test_sales_unit_is_checked(read):
    assert read(msn=123456).concerns_payment
    with pytest.raises(Rejected) as refused:
        read(msn="654321")
    assert Cause.UNKNOWN_PAYMENT == refused.value.cause


def test_path_and_query_are_signed_as_they_are(direct, delivered, refusal):
    assert refusal(direct, delivered) is None
    for changes in ({"path": "/webhooks/vipps shop"}, {"path": f"{PATH}/"}, {"query": ""}):
        assert Cause.BAD_SIGNATURE == refusal(direct, replace(delivered, **changes))


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("Host", "shop.example.com:443", Cause.BAD_SIGNATURE),
        ("Host", None, Cause.MISSING_SIGNATURE),
        ("x-ms-date", None, Cause.MISSING_SIGNATURE),
        ("x-ms-date", "Mon, 24 Nov 2025 16:00:01 GMT", Cause.BAD_SIGNATURE),
        ("x-ms-content-sha256", None, Cause.MISSING_SIGNATURE),
        ("x-ms-content-sha256", "AAAA", Cause.BAD_SIGNATURE),
        ("Authorization", None, Cause.MISSING_SIGNATURE),
        ("Authorization", "", Cause.MISSING_SIGNATURE),
        ("Authorization", "Basic eDp5", Cause.BAD_SIGNATURE),
    ],
)
def test_header_that_will_not_do_is_refused(name, value, cause, direct, delivered, refusal):
    assert cause == refusal(direct, with_header(delivered, name, value))


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        lambda value: value.replace("x-ms-date;host;x-ms-content-sha256", "x-ms-date;host"),
        lambda value: value.partition("Signature=")[2],
        lambda value: value.rstrip("="),
    ],
)
def test_whole_value_is_compared(change, direct, delivered, refusal):
    (value,) = delivered.header_values("Authorization")
    changed = with_header(delivered, "Authorization", change(value))
    assert Cause.BAD_SIGNATURE == refusal(direct, changed)


@pytest.mark.parametrize("left", [None, ""])
def test_signature_may_have_the_providers_own_header(left, direct, delivered, refusal):
    (value,) = delivered.header_values("Authorization")
    moved = with_header(delivered, "X-Vipps-Authorization", value)
    assert refusal(direct, with_header(moved, "Authorization", left)) is None
    assert Cause.BAD_SIGNATURE == refusal(direct, with_header(moved, "Authorization", "other"))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"msn":"123456"}'])
def test_hash_of_the_body_is_made_anew(body, direct, delivered, refusal):
    assert Cause.BAD_SIGNATURE == refusal(direct, replace(delivered, body=body))


def test_registered_url_replaces_the_requests(instance_of, simulated, delivered, refusal):
    url = f"https://{HOST}{PATH}?{QUERY}"
    behind = instance_of("vipps_mobilepay", webhook_url=url)
    moved = replace(with_header(delivered, "Host", "10.0.0.1:8000"), path="/inner", query="")
    assert refusal(behind, moved) is None
    bare = instance_of("vipps_mobilepay", webhook_url="https://shop.example.com")
    at_root = instance_of("vipps_mobilepay", webhook_url="https://shop.example.com/")
    assert refusal(at_root, simulated(bare, "captured")) is None


@pytest.mark.parametrize("url", ["shop.example.com", "ftp://x/", "https://a b", "http://[", "x"])
def test_registered_url_must_be_one(url, instance_of):
    with pytest.raises(ValidationError, match="webhook_url"):
        instance_of("vipps_mobilepay", webhook_url=url)


@pytest.mark.parametrize(
    "date", ["yesterday", "Mon, 24 Nov 2025 16:00:00 -0000", "Mon, 99 Nov 2025 16:00:00 GMT"]
)
def test_date_must_be_one_though_it_is_signed(date, direct, delivered, refusal):
    (content,) = delivered.header_values("x-ms-content-sha256")
    message = f"POST\n{PATH}?{QUERY}\n{date};{HOST};{content}"
    made = hmac.digest(direct.config.webhook_secrets[0].bytes, message.encode(), "sha256")
    value = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
    value += base64.b64encode(made).decode()
    signed = with_header(with_header(delivered, "x-ms-date", date), "Authorization", value)
    assert Cause.MALFORMED == refusal(direct, signed)


@pytest.mark.parametrize(
    ("second", "cause"),
    [
        (datetime(2025, 11, 24, 16, 5, 0, tzinfo=UTC), None),
        (datetime(2025, 11, 24, 16, 5, 1, tzinfo=UTC), Cause.STALE_TIMESTAMP),
        (datetime(2025, 11, 24, 15, 55, 0, tzinfo=UTC), None),
        (datetime(2025, 11, 24, 15, 54, 59, tzinfo=UTC), Cause.STALE_TIMESTAMP),
    ],
)
def test_date_is_within_five_minutes(second, cause, direct, delivered, refusal):
    assert cause == refusal(direct, replace(delivered, received_at=second))
