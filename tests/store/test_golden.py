"""Records as earlier versions wrote them: every later one must read them as they were meant."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path

import builders
import pytest

from gateway.store import collections, deliveries, payments, records
from gateway.store.sealing import Seal

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))
KEY = "Yqmzvr23h4ohGZudw29fBVIxqRXbakk5-pKVIXYBfAI="
DELIVERY = "dlv_000123456789abcdef0123456789abcdef"


def hash_of(fields: Mapping[str, str]) -> dict[bytes, bytes]:
    """A hash's fields, whose values are recorded as base64."""
    return {name.encode(): b64decode(value) for name, value in fields.items()}


def read_session(raw: str) -> object:
    return records.decode(raw)


def read_decision(raw: Mapping[str, str]) -> object:
    return records.decode_decision(raw["key"].encode(), raw["value"].encode())


def read_payment(raw: str) -> object:
    return payments.decode(builders.session(), raw.encode())


def read_delivery(raw: Mapping[str, str]) -> object:
    return deliveries.decode(DELIVERY, hash_of(raw), Seal((KEY,)))


def read_collection(raw: str) -> object:
    return collections._decode(raw.encode())  # noqa: SLF001 - it is read as it is stored


READERS: dict[str, Callable[..., object]] = {
    "session": read_session,
    "decision": read_decision,
    "payment": read_payment,
    "delivery": read_delivery,
    "collection": read_collection,
}


@pytest.mark.parametrize("name", GOLDEN)
def test_recorded_record_is_read_as_ever(name):
    one = GOLDEN[name]
    assert one["read"] == repr(READERS[one["kind"]](one["raw"]))


def test_every_kind_was_recorded():
    assert set(READERS) == {one["kind"] for one in GOLDEN.values()}
