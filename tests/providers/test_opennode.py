import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest

from gateway.domain.errors import Cause, Rejected
from providers import simulator
from providers.contract import ApiAnswer

URL = "https://dev-api.opennode.com/v1/charge/ext_42"


@pytest.fixture
def shop(instance_of):
    return instance_of("opennode")


@pytest.fixture
def notice(shop, simulated):
    """A callback with some of its fields replaced (None: left out), signed or not."""

    def make(kind="authorized", *, signed=True, instance=shop, **changes):
        delivery = simulated(instance, kind)
        form = dict(parse_qsl(delivery.body.decode(), keep_blank_values=True)) | changes
        body = urlencode({name: value for name, value in form.items() if value is not None})
        delivery = replace(delivery, body=body.encode())
        return instance.adapter.scheme.sign(delivery, instance.config) if signed else delivery

    return make


@pytest.fixture
def settled(shop, payment, at):
    """What comes of a callback whose charge the API answers with, some fields replaced."""

    def make(delivery, code=200, **changes):
        assert not shop.adapter.verify(delivery, shop.config).settled
        (call,) = simulator.api_calls(shop, "authorized", payment, event_id="e", at=at)
        conversation = shop.adapter.settle(delivery, shop.config)
        request = next(conversation)
        assert ("GET", URL) == (request.method, request.url)
        assert (("Authorization", "development-not-an-api-key"),) == request.headers
        answer = {"data": json.loads(call.body)["data"] | changes}
        with pytest.raises(StopIteration) as end:
            conversation.send(ApiAnswer(code, json.dumps(answer).encode()))
        (event,) = end.value.value
        return event

    return make


def said(event):
    change = event.payment_change
    return event.session_status, change.kind if change else None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("unpaid", ("pending", None)),
        ("processing", ("pending", None)),
        ("paid", ("authorized", "captured")),
        ("underpaid", ("requires_more", None)),
        ("expired", ("canceled", None)),
        ("refunded", (None, "refunded")),
    ],
)
def test_charge_means_what_its_fetched_status_says(status, expected, notice, settled):
    event = settled(notice(status="paid"), status=status)
    assert (status, *expected) == (event.type, *said(event))


def test_unheard_of_status_is_recorded_and_does_nothing(notice, settled):
    event = settled(notice(), status="teleported")
    assert (False, False) == (event.concerns_payment, event.recognized)


def test_nothing_but_the_id_of_a_callback_counts(at, notice, settled):
    lie = notice(signed=False, status="refunded", order_id="mine", fiat_value="1", currency="XXX")
    event = settled(lie)
    assert ("authorized", "captured") == said(event)
    assert ("ext_42", "payses_01JDTEST", 4250, "EUR", at) == (
        event.external_id,
        event.reference,
        event.amount,
        event.currency,
        event.occurred_at,
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"metadata": None}, "payses_01JDTEST"),
        ({"metadata": {"session_id": "s"}, "order_id": "10042"}, "s"),
        ({"metadata": {}, "order_id": None}, None),
        ({"metadata": {}, "order_id": ""}, None),
    ],
)
def test_reference_is_the_fetched_one(changes, expected, notice, settled):
    assert expected == settled(notice(), **changes).reference


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source_fiat_value": 42.5, "fiat_value": 41.99}, 4250),
        ({"source_fiat_value": None, "fiat_value": 41.99}, 4199),
        ({"source_fiat_value": "500", "currency": "JPY"}, 500),
        ({"source_fiat_value": 1.5, "amount": 6824, "currency": "BTC"}, 6824),
        ({"source_fiat_value": 1.5, "amount": 6824, "currency": "btc"}, 6824),
        ({"amount": None, "price": 6824, "currency": "BTC"}, 6824),
    ],
)
def test_amount_is_what_was_asked_for(changes, expected, notice, settled):
    assert expected == settled(notice(), **changes).amount


def test_forged_callback_makes_no_duplicate_of_the_genuine_one(shop, notice):
    assert shop.adapter.key(notice(), shop.config) is None


@pytest.mark.parametrize("value", [None, "", "  "])
def test_missing_hash_is_a_missing_signature(value, shop, notice, refusal):
    assert Cause.MISSING_SIGNATURE == refusal(shop, notice(signed=False, hashed_order=value))


def test_hash_covers_the_id_alone(shop, notice, refusal):
    assert refusal(shop, notice(signed=False, status="expired")) is None
    assert Cause.BAD_SIGNATURE == refusal(shop, notice(signed=False, id="ext_43"))


def test_hash_is_in_small_letters(shop, notice, refusal):
    (value,) = (v for k, v in parse_qsl(notice().body.decode()) if k == "hashed_order")
    assert Cause.BAD_SIGNATURE == refusal(shop, notice(signed=False, hashed_order=value.upper()))


def test_key_that_made_the_hash_asks(shop, instance_of, notice, refusal):
    old, new = "development-not-an-api-key", "another-fake-key"
    both = instance_of("opennode", api_keys=[new, old])
    assert "api_keys[1]" == both.adapter.verify(notice(), both.config).secret
    request = next(both.adapter.settle(notice(), both.config))
    assert (("Authorization", old),) == request.headers
    assert Cause.BAD_SIGNATURE == refusal(instance_of("opennode", api_keys=[new]), notice())
    assert Cause.NOT_CONFIGURED == refusal(instance_of("opennode", api_keys=[]), notice())


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"id=%FF&hashed_order=x", b"id=a&id=b&hashed_order=x", b"&".join([b"a=1"] * 300)],
)
def test_body_that_is_no_form_is_malformed(body, shop, notice, refusal):
    assert Cause.MALFORMED == refusal(shop, replace(notice(), body=body))


def test_environment_is_host_and_mode(instance_of, notice, payment, at):
    live = instance_of("opennode", environment="live")
    conversation = live.adapter.settle(notice(instance=live), live.config)
    assert "https://api.opennode.com/v1/charge/ext_42" == next(conversation).url
    (call,) = simulator.api_calls(live, "authorized", payment, event_id="e", at=at)
    with pytest.raises(StopIteration) as end:
        conversation.send(ApiAnswer(200, call.body))
    assert end.value.value[0].livemode


def test_withdrawal_is_ignored_and_asks_nothing(shop, notice):
    delivery = notice("ignored")
    assert shop.adapter.verify(delivery, shop.config).settled
    (event,) = shop.adapter.read(delivery, shop.config)
    assert (False, True) == (event.concerns_payment, event.recognized)
    with pytest.raises(Rejected) as refused:
        shop.adapter.read(notice("ignored", status="x" * 600), shop.config)
    assert Cause.MALFORMED == refused.value.cause


def test_charge_without_an_order_is_none(shop, notice):
    assert not shop.adapter.verify(notice(order_id=None), shop.config).settled


def test_charge_is_never_read_from_a_callback_alone(shop, notice):
    with pytest.raises(Rejected) as refused:
        shop.adapter.read(notice(), shop.config)
    assert Cause.UNVERIFIABLE == refused.value.cause


@pytest.mark.parametrize("own_id", ["", "../charges", "a?b=c", "x" * 65, "é"])
def test_id_that_is_none_is_not_asked_for(own_id, shop, notice):
    with pytest.raises(Rejected) as refused:
        next(shop.adapter.settle(notice(id=own_id), shop.config))
    assert Cause.MALFORMED == refused.value.cause


@pytest.mark.parametrize(
    ("code", "changes", "cause"),
    [
        (404, {}, Cause.UNKNOWN_PAYMENT),
        (401, {}, Cause.UNVERIFIABLE),
        (403, {}, Cause.UNVERIFIABLE),
        (200, {"id": "another"}, Cause.UNVERIFIABLE),
        (200, {"source_fiat_value": None, "fiat_value": None}, Cause.MALFORMED),
        (200, {"currency": None}, Cause.MALFORMED),
        (200, {"status": None}, Cause.MALFORMED),
    ],
)
def test_answer_that_will_not_do_is_refused(code, changes, cause, notice, settled):
    with pytest.raises(Rejected) as refused:
        settled(notice(), code=code, **changes)
    assert cause == refused.value.cause
