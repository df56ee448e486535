"""Bodies that no provider would send, correctly signed: nothing but Rejected may come out."""

import json
import random
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.errors import Rejected
from gateway.domain.money import MAX_AMOUNT
from providers import registry, simulator
from providers.configuration import load
from providers.conformance import delivery_of

ADAPTERS = registry.adapter_ids()
GENUINE = [
    pytest.param(vector, id=f"{path.stem}-{vector['name']}")
    for path in sorted((Path(__file__).parents[1] / "vectors").glob("*.json"))
    if path.stem in ADAPTERS
    for vector in json.loads(path.read_text(encoding="utf-8"))
    if vector["expect"]["verified"]
]
HOSTILE = [None, True, -1, 0, 1.5, 10**30, -(10**30), "", "x" * 1000, "\ud800", "é\x00", [], {}]
HOSTILE += [[[]], {"id": {}}, "1e999", "2025-13-40T99:99:99Z", "9999-12-31T23:59:59-23:59"]


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_mutated_and_signed_body_raises_nothing_but_rejected(adapter_id, instance_of, simulated):
    instance, chance = instance_of(adapter_id), random.Random(adapter_id)
    for kind in simulator.kinds(adapter_id):
        delivery = simulated(instance, kind)
        for _ in range(25):
            survive(instance.adapter, instance.config, delivery, mutated(delivery.body, chance))


@pytest.mark.parametrize("vector", GENUINE)
def test_mutated_vector_raises_nothing_but_rejected(vector):
    adapter = registry.adapter(vector["provider"])
    config, delivery = load(adapter.Config, vector["config"]), delivery_of(vector)
    chance = random.Random(vector["name"])
    for _ in range(60):
        survive(adapter, config, delivery, mutated(delivery.body, chance))


@pytest.mark.parametrize("adapter_id", ADAPTERS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_signed_body_raises_nothing_but_rejected(adapter_id, instance_of, simulated, data):
    instance = instance_of(adapter_id)
    delivery = simulated(instance, "captured")
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    body = json.loads(delivery.body)
    for path in data.draw(st.lists(st.sampled_from(list(paths(body))), max_size=3)):
        put(body, path, data.draw(value))
    raw = st.sampled_from([json.dumps(body).encode()]) | st.binary(max_size=40)
    survive(instance.adapter, instance.config, delivery, data.draw(raw))


def survive(adapter, config, delivery, body):
    """Signs a body if it can be signed, and takes it all the way: only Rejected may come out."""
    delivery = replace(delivery, body=body)
    with suppress(Rejected):
        delivery = adapter.scheme.sign(delivery, config)
    key = adapter.key(delivery, config)
    assert key is None or isinstance(key, bytes)
    with suppress(Rejected):
        if adapter.verify(delivery, config).settled:
            for event in adapter.read(delivery, config):
                check(event)
        else:
            next(adapter.settle(delivery, config))


def check(event):
    """An event that the domain and the store can take."""
    texts = (event.event_id, event.type, event.external_id, event.reference, event.currency)
    for text in texts:
        assert text is None or (isinstance(text, str) and text.encode("utf-8") is not None)
    assert event.event_id
    assert event.occurred_at.tzinfo is not None
    assert event.amount is None or 0 <= event.amount <= MAX_AMOUNT
    assert event.currency is None or (len(event.currency) == 3 and event.currency.isupper())
    assert event.payment_change is None or event.payment_change.reference.encode("utf-8")


def paths(document, prefix=()):
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in items:
        yield (*prefix, name)
        if isinstance(value, dict | list):
            yield from paths(value, (*prefix, name))


def put(document, path, value):
    """Sets what is under a path, unless an earlier change took the path away."""
    *parents, last = path
    try:
        for name in parents:
            document = document[name]
        document[last] = value
    except (KeyError, IndexError, TypeError):
        return


def mutated(body, chance):
    try:
        document = json.loads(body)
    except ValueError:
        return body[: chance.randrange(len(body) + 1)]
    if chance.random() < 0.1:
        return body[: chance.randrange(len(body))]
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(paths(document)))
        put(document, path, deepcopy(chance.choice(HOSTILE)))
    return json.dumps(document).encode()
