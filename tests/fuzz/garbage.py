"""Deliveries gone wrong: true ones mutated, and garbage of known kinds."""

import gzip
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from gateway.cli.development import development_environment
from gateway.config import load
from gateway.domain.errors import Rejected
from gateway.domain.events import Delivery
from providers import simulator
from providers.registry import Instance
from providers.simulator import SimulatedPayment

AT = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
INSTANCES = load({"GATEWAY_STORE_URL": "unix:///none", **development_environment({})}).instances
DEEP = 100_000

TOKENS = (
    b"\x00 \xff \xfe\xff \xef\xbb\xbf \xed\xa0\x80 null true -1 1e999 1E-400 NaN Infinity [] {}"
    b' "" "\\ud800" "\\u0000" 0.1 -0 99999999999999999999999999 [[[[ }}}} ,, :: "a":1,"a":2 %00 %ff'
    b" &=& +- \\ / \r\n ;"
).split(b" ")

BODIES = {
    "empty": b"",
    "NUL": b"\x00" * 1000,
    "invalid UTF-8": b'{"id": "\xff\xfe\xfd"}',
    "BOM": b'\xef\xbb\xbf{"id": "evt_1"}',
    "UTF-16": '{"id": "evt_1"}'.encode("utf-16"),
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "huge integer": b'{"amount": ' + b"9" * 100_000 + b"}",
    "huge exponent": b'{"amount": 1e999999999}',
    "tiny exponent": b'{"amount": 1e-999999999}',
    "NaN": b'{"amount": NaN, "total": -Infinity}',
    "doubled keys": b'{"id": "a", "id": "b"}',
    "lone surrogates": b'{"id": "\\ud800", "type": "\\udfff\\ud800"}',
    "many items": json.dumps({"notificationItems": [{}] * DEEP, "events": [{}] * DEEP}).encode()[
        : 256 * 1024
    ],
    "a hundred thousand items": b'{"events":[' + b"0," * (DEEP - 1) + b"0]}",
    "gzip": gzip.compress(b"0" * 10_000_000),
    "text": b"hello",
    "a form": b"id=tr_1&id=tr_2&%=%zz&" + b"a=b&" * 10_000,
}


def samples(name: str) -> list[Delivery]:
    """A true delivery of each kind that a provider sends."""
    told = SimulatedPayment(
        session_id="ps_1",
        external_id=simulator.external_id(name, "ps_1"),
        amount=4250,
        currency="EUR",
    )
    return [
        simulator.simulate(INSTANCES[name], kind, told, event_id=f"evt_{kind}", at=AT)
        for kind in simulator.kinds(name)
    ]


def mutated(body: bytes, chance: random.Random) -> bytes:
    """A body with one to four things wrong in it."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        to = min(len(body), at + chance.randint(0, 24))
        piece = chance.choice(
            (b"", chance.choice(TOKENS), bytes([chance.randrange(256)]), body[at:to] * 2)
        )
        body = body[:at] + piece + body[to:]
    return body


def odd_headers(delivery: Delivery, chance: random.Random) -> Delivery:
    """A delivery with headers doubled, left out, or filled with something else."""
    headers: list[tuple[str, str]] = []
    for name, value in delivery.headers:
        what = chance.randrange(6)
        token = chance.choice(TOKENS).decode("latin-1")
        headers += {
            0: [],
            1: [(name, value), (name, value)],
            2: [(name, token)],
            3: [(name.upper(), value[: chance.randrange(len(value) + 1)] + token)],
        }.get(what, [(name, value)])
    return replace(delivery, headers=tuple(headers))


def tried(instance: Instance, delivery: Delivery) -> None:
    """All that an adapter does with bytes from outside. Anything but Rejected escapes."""
    adapter, config = instance.adapter, instance.config
    for act in (adapter.handshake, adapter.verify, adapter.key):
        with suppress(Rejected):
            act(delivery, config)
    with suppress(Rejected):
        list(adapter.read(delivery, config))


def inputs(name: str, seed: int) -> Iterator[Delivery]:
    """Deliveries without end, each wrong in some way, half of them signed as they are."""
    instance, chance, true = INSTANCES[name], random.Random(f"{name} {seed}"), samples(name)
    while True:
        delivery = chance.choice(true)
        delivery = replace(delivery, body=mutated(delivery.body, chance))
        if chance.random() < 0.5:
            try:
                delivery = instance.adapter.scheme.sign(delivery, instance.config)
            except Rejected:
                continue
        else:
            delivery = odd_headers(delivery, chance)
        if chance.random() < 0.1:
            query = mutated(delivery.query.encode() or b"a=b", chance)
            delivery = replace(delivery, query=query.decode("latin-1"))
        yield delivery
