"""Bodies and answers that no provider would send: nothing but Rejected may come out."""

import json
import random
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_cases import (
    ADAPTERS,
    VECTORS,
    body_of,
    case_of,
    encoded_like,
    instance_of,
    outcome,
    recorded,
)

from gateway.domain.errors import Rejected
from gateway.domain.money import MAX_AMOUNT
from providers import simulator

GENUINE = [param for param in VECTORS if param.values[0]["expect"]["verified"]]
HOSTILE = [None, True, -1, 0, 1.5, 10**30, -(10**30), "", "x" * 1000, "\ud800", "é\x00", [], {}]
HOSTILE += [[[]], {"id": {}}, "1e999", "2025-13-40T99:99:99Z", "9999-12-31T23:59:59-23:59"]
# Deeper than anything may recurse.
DEEP = [b"[" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000]


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_mutated_and_signed_body_raises_nothing_but_rejected(adapter_id):
    instance, chance = instance_of(adapter_id), random.Random(adapter_id)
    for kind in simulator.kinds(adapter_id):
        case = case_of(instance, kind)
        for _ in range(25):
            survive(case, mutated(case, chance))
        for body in DEEP:
            survive(case, body)


@pytest.mark.parametrize("vector", GENUINE)
def test_mutated_vector_raises_nothing_but_rejected(vector):
    case, chance = recorded(vector), random.Random(vector["name"])
    for _ in range(60):
        survive(case, mutated(case, chance))


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_mutated_answer_of_the_api_raises_nothing_but_rejected(adapter_id):
    instance, chance = instance_of(adapter_id), random.Random(adapter_id)
    for kind in simulator.kinds(adapter_id):
        case = case_of(instance, kind)
        for _ in range(25 if case.calls else 0):
            calls = list(case.calls)
            at = chance.randrange(len(calls))
            calls[at] = replace(calls[at], **strange(calls[at], chance))
            survive(replace(case, calls=tuple(calls)), case.delivery.body)


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_body_that_proves_nothing_cannot_change_what_the_api_says(adapter_id):
    instance, chance = instance_of(adapter_id), random.Random(adapter_id)
    for kind in simulator.kinds(adapter_id):
        case = case_of(instance, kind)
        if case.verify().settled:
            continue
        genuine, case = outcome(case), replace(case, known=tuple(case.asked()))
        for _ in range(40):
            assert outcome(case.altered(body=mutated(case, chance))) in (None, [], genuine)


@pytest.mark.parametrize("adapter_id", ADAPTERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_signed_body_raises_nothing_but_rejected(adapter_id, data):
    case = case_of(instance_of(adapter_id), "authorized")
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    raw, document = st.binary(max_size=40), body_of(case)
    if document is not None:
        for path in data.draw(st.lists(st.sampled_from(list(paths(document))), max_size=3)):
            put(document, path, data.draw(value))
        raw |= st.sampled_from([encoded_like(case, document)])
    survive(case, data.draw(raw))


def survive(case, body):
    """Signs a body if it can be signed, and takes it all the way: only Rejected may come out."""
    case = case.altered(body=body)
    with suppress(Rejected):
        case = case.signed(body)
    key = case.key()
    assert key is None or isinstance(key, bytes)
    with suppress(Rejected):
        case.instance.adapter.handshake(case.delivery, case.config)
    with suppress(Rejected):
        for event in case.events():
            check(event)


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


def mutated(case, chance):
    body, document = case.delivery.body, body_of(case)
    if document is None or chance.random() < 0.1:
        return cut(body, chance)
    return encoded_like(case, spoilt(document, chance))


def strange(call, chance):
    """Another answer than the API's own."""
    if chance.random() < 0.2:
        return {"status": chance.choice([200, 204, 301, 400, 401, 403, 404, 410])}
    try:
        document = json.loads(call.body)
    except ValueError:
        return {"body": cut(call.body, chance)}
    if not isinstance(document, dict | list) or not document or chance.random() < 0.1:
        return {"body": chance.choice([b"", b"{", b"null", b"[]", b"7", *DEEP])}
    return {"body": json.dumps(spoilt(document, chance)).encode()}


def spoilt(document, chance):
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(paths(document)))
        put(document, path, deepcopy(chance.choice(HOSTILE)))
    return document


def cut(body, chance):
    return body[: chance.randrange(len(body) + 1)]
