"""What every adapter has to do, whatever its provider. Nothing here knows one of them."""

import ast
import json
import random
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

import providers
from gateway.domain.errors import Cause, Rejected
from gateway.domain.sessions import PaymentSession, Record, apply, new_payment
from providers import registry, simulator
from providers.configuration import Secret, load
from providers.conformance import delivery_of, run_vector

ADAPTERS = registry.adapter_ids()
# Those that sign a time: the others have no window to be outside of.
TIMED = [name for name in ADAPTERS if hasattr(registry.adapter(name).scheme, "tolerance")]
VECTORS = [
    pytest.param(vector, id=f"{path.stem}-{vector['name']}")
    for path in sorted((Path(__file__).parents[1] / "vectors").glob("*.json"))
    if path.stem in ADAPTERS
    for vector in json.loads(path.read_text(encoding="utf-8"))
]
GENUINE = [param for param in VECTORS if param.values[0]["expect"]["verified"]]
KINDS = [(adapter_id, kind) for adapter_id in ADAPTERS for kind in simulator.kinds(adapter_id)]
AT = datetime(2025, 11, 24, 16, tzinfo=UTC)
LIVES = [
    ("created", "failed", "authorized", "captured", "refunded"),
    ("processing", "requires_action", "authorized", "canceled", "expired"),
    ("authorized", "captured", "refunded", "refund_failed", "capture_failed"),
    ("captured", "charge_captured", "refund_succeeded", "refunded", "authorized"),
    ("captured", "authorized", "disputed", "dispute_won", "dispute_lost"),
]
ALLOWED_IMPORTS = ("gateway.domain", "marshmallow", "cryptography")
SHARED = ("providers", "contract", "schemes", "payload", "configuration", "meanings")


def test_every_adapter_has_vectors():
    assert set(ADAPTERS) <= {param.values[0]["provider"] for param in VECTORS}


@pytest.mark.parametrize("vector", VECTORS)
def test_vector_passes(vector):
    assert [] == run_vector(vector)


@pytest.mark.parametrize("vector", GENUINE)
def test_flipped_byte_is_refused_or_changes_nothing(vector):
    """Adyen signs some fields only, so a flip in the others may pass, if nothing comes of it."""
    adapter = registry.adapter(vector["provider"])
    config, delivery = load(adapter.Config, vector["config"]), delivery_of(vector)
    genuine, chance = said(adapter, config, delivery), random.Random(vector["name"])
    body = delivery.body
    everywhere = range(len(body))
    positions = everywhere if len(body) < 600 else sorted(chance.sample(everywhere, 300))
    for position in positions:
        flipped = bytearray(body)
        flipped[position] ^= 1 << chance.randrange(8)
        altered = said(adapter, config, replace(delivery, body=bytes(flipped)))
        assert altered in (None, genuine), f"byte {position}"


@pytest.mark.parametrize("adapter_id", ADAPTERS)
@pytest.mark.parametrize("how", ["missing", "empty", "doubled"])
def test_spoilt_header_is_a_missing_signature(adapter_id, how, instance_of, simulated, refusal):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    for name in signature_headers(instance, delivery):
        (value,) = delivery.header_values(name)
        spoilt = {"missing": [], "empty": [""], "doubled": [value, value]}[how]
        assert Cause.MISSING_SIGNATURE == refusal(instance, with_values(delivery, name, spoilt))


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_truncated_header_is_refused(adapter_id, instance_of, simulated, refusal):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    for name in signature_headers(instance, delivery):
        (value,) = delivery.header_values(name)
        for length in range(1, len(value)):
            assert refusal(instance, with_values(delivery, name, [value[:length]])) is not None


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_header_names_have_no_case(adapter_id, instance_of, simulated, refusal):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    odd = replace(delivery, headers=tuple((n.swapcase(), v) for n, v in delivery.headers))
    assert refusal(instance, odd) is None


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_wrong_secret_is_refused(adapter_id, instance_of, simulated, refusal):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    others = {name: [another(item) for item in values] for name, values in secrets_of(instance)}
    assert Cause.BAD_SIGNATURE == refusal(instance_of(adapter_id, **others), delivery)


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_without_a_secret_everything_is_refused(adapter_id, instance_of, simulated, refusal):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    bare = instance_of(adapter_id, **{name: [] for name, _ in secrets_of(instance)})
    assert Cause.NOT_CONFIGURED == refusal(bare, delivery)
    assert Cause.NOT_CONFIGURED == refusal(bare, replace(delivery, body=b"", headers=()))


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_old_and_new_secret_are_accepted_and_the_matching_one_named(
    adapter_id, instance_of, simulated
):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    for name, (value,) in secrets_of(instance):
        for at, pair in enumerate(([value, another(value)], [another(value), value])):
            rotating = instance_of(adapter_id, **{name: pair})
            verdict = instance.adapter.verify(delivery, rotating.config)
            assert f"{name}[{at}]" == verdict.secret


@pytest.mark.parametrize("adapter_id", TIMED)
def test_window_ends_where_it_should(adapter_id, instance_of, simulated, refusal, at):
    instance = instance_of(adapter_id)
    tolerance = instance.adapter.scheme.tolerance
    width = tolerance(instance.config) if callable(tolerance) else tolerance
    delivery = simulated(instance, "authorized")
    expected = {-width - 1: Cause.STALE_TIMESTAMP, -width: None, width: None}
    expected[width + 1] = Cause.STALE_TIMESTAMP
    for seconds, cause in expected.items():
        judged = replace(delivery, received_at=at + timedelta(seconds=seconds))
        assert cause == refusal(instance, judged), seconds


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_reserialised_body_is_refused_where_the_body_is_signed(
    adapter_id, instance_of, simulated, refusal
):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    again = json.dumps(json.loads(delivery.body), indent=7).encode()
    is_signed = bool(signature_headers(instance, delivery))
    expected = Cause.BAD_SIGNATURE if is_signed else None
    assert expected == refusal(instance, replace(delivery, body=again))


@pytest.mark.parametrize(("adapter_id", "kind"), KINDS)
def test_unknown_fields_are_let_be(adapter_id, kind, instance_of, simulated, resigned):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, kind)
    richer = resigned(instance, delivery, with_more(json.loads(delivery.body)))
    assert events(instance, delivery) == events(instance, richer)


@pytest.mark.parametrize(("adapter_id", "kind"), KINDS)
def test_signed_delivery_verifies_and_is_settled(adapter_id, kind, instance_of, simulated):
    instance = instance_of(adapter_id)
    verdict = instance.adapter.verify(simulated(instance, kind), instance.config)
    assert verdict.settled
    assert verdict.secret


@pytest.mark.parametrize("adapter_id", ADAPTERS)
@pytest.mark.parametrize(("kind", "recognized"), [("unknown", False), ("ignored", True)])
def test_type_of_no_concern_is_recorded_and_does_nothing(
    adapter_id, kind, recognized, instance_of, simulated
):
    instance = instance_of(adapter_id)
    (event,) = events(instance, simulated(instance, kind))
    assert not event.concerns_payment
    assert recognized == event.recognized


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_redelivery_is_the_same_event(adapter_id, instance_of, simulated, at):
    instance = instance_of(adapter_id)
    first = simulated(instance, "captured")
    later = replace(first, received_at=at + timedelta(days=3))
    again = instance.adapter.scheme.sign(later, instance.config)
    assert ids(instance, first) == ids(instance, again)
    key = instance.adapter.key
    assert key(first, instance.config) == key(again, instance.config)


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_different_facts_are_different_events(adapter_id, instance_of, simulated):
    instance = instance_of(adapter_id)
    told = [simulated(instance, kind) for kind in simulator.kinds(adapter_id)]
    assert len(told) == len({tuple(ids(instance, delivery)) for delivery in told})
    assert len(told) == len({instance.adapter.key(delivery, instance.config) for delivery in told})


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_no_secret_is_ever_printed(adapter_id, instance_of, simulated):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "authorized")
    with pytest.raises(Rejected) as refused:
        instance.adapter.verify(
            replace(delivery, body=delivery.body.replace(b"4250", b"4251")), instance.config
        )
    verdict = instance.adapter.verify(delivery, instance.config)
    printed = f"{instance!r} {instance.config!r} {verdict!r} {delivery!r} {refused.value!r}"
    printed += f"{refused.value} {refused.value.detail} {instance.config}"
    for _, values in secrets_of(instance):
        assert not [value for value in values if value in printed]


@pytest.mark.parametrize("life", LIVES, ids="-".join)
@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_every_order_of_a_life_ends_in_the_same_payment(adapter_id, life, instance_of, payment):
    instance = instance_of(adapter_id)
    told = []
    for step, kind in enumerate(kind for kind in life if kind in simulator.kinds(adapter_id)):
        at = AT + timedelta(minutes=step)
        delivery = simulator.simulate(instance, kind, payment, event_id=f"evt_{kind}", at=at)
        told += events(instance, delivery)
    session = PaymentSession(
        id=payment.session_id,
        provider_id=instance.name,
        amount=payment.amount,
        currency_code=payment.currency,
        created_at=AT,
        updated_at=AT,
        idempotency_key="key",
    )
    start = Record(session, new_payment(session))
    endings = {folded(start, order) for order in permutations(told)}
    assert 1 == len(endings)
    assert endings == {folded(start, [*told, *told])}


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_module_stays_within_its_budget(adapter_id):
    folder = Path(providers.__file__).parent
    for path in (folder / f"{adapter_id}.py", *folder.glob(f"{adapter_id}_*.py")):
        source = path.read_text(encoding="utf-8")
        lines = [line.strip() for line in source.splitlines()]
        code = [line for line in lines if line and not line.startswith("#")]
        assert len(code) <= 150, path.name
        tree = ast.parse(source)
        assert ast.get_docstring(tree)
        for name in imported(tree):
            assert is_allowed(name, adapter_id), f"{path.name} imports {name}"
    assert "https://" in ast.get_docstring(ast.parse((folder / f"{adapter_id}.py").read_text()))


def events(instance, delivery):
    return list(instance.adapter.read(delivery, instance.config))


def ids(instance, delivery):
    return [event.event_id for event in events(instance, delivery)]


def said(adapter, config, delivery):
    """What comes of a delivery; None when it is refused."""
    try:
        if not adapter.verify(delivery, config).settled:
            return delivery.body
        return [
            replace(event, event_id="", occurred_at=AT, livemode=None)
            for event in adapter.read(delivery, config)
            if event.concerns_payment
        ]
    except Rejected:
        return None


def signature_headers(instance, delivery):
    bare = instance.adapter.scheme.sign(replace(delivery, headers=()), instance.config)
    return [name for name, _ in bare.headers]


def with_values(delivery, name, values):
    kept = tuple(pair for pair in delivery.headers if pair[0].lower() != name.lower())
    return replace(delivery, headers=kept + tuple((name, value) for value in values))


def secrets_of(instance):
    """The lists of secrets in a configuration: setting and values."""
    for item in fields(instance.config):
        value = getattr(instance.config, item.name)
        if isinstance(value, tuple) and value and isinstance(value[0], Secret):
            yield item.name, [secret.value for secret in value]


def another(secret):
    """A secret of the same form: hex stays hex, base64 stays base64."""
    middle = len(secret) // 2
    return f"{secret[:middle]}{'B' if secret[middle] != 'B' else 'C'}{secret[middle + 1 :]}"


def with_more(document):
    if isinstance(document, dict):
        more = {name: with_more(value) for name, value in document.items()}
        return more | {"never_heard_of": {"a": [1, None]}}
    if isinstance(document, list):
        return [with_more(value) for value in document]
    return document


def folded(record, told):
    for event in told:
        record, _ = apply(record, event, known=False)
    session = record.session
    return session.status, session.payment_authorized_at, session.claim, record.payment


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module


def is_allowed(name, adapter_id):
    top, _, rest = name.partition(".")
    if top == "providers":
        family = rest.partition(".")[0]
        return family in ("", *SHARED) or family.startswith(f"{adapter_id}_")
    return top in sys.stdlib_module_names or name.startswith(ALLOWED_IMPORTS)
