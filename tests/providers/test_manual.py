import json

import pytest

from gateway.domain.errors import Cause, Rejected

WORD = {"id": "w1", "type": "manual.captured", "reference": "ps_1", "amount": 5, "currency": "eur"}


@pytest.fixture
def manual(instance_of):
    return instance_of("manual")


@pytest.fixture
def read(manual, simulated, resigned):
    """The one event of a word with some fields replaced (None: left out)."""

    def make(**changes):
        body = {name: value for name, value in {**WORD, **changes}.items() if value is not None}
        delivery = resigned(manual, simulated(manual, "captured"), body)
        (event,) = manual.adapter.read(delivery, manual.config)
        return event

    return make


@pytest.mark.parametrize(
    ("word", "status", "change"),
    [
        ("manual.authorized", "authorized", None),
        ("manual.captured", "authorized", "captured"),
        ("manual.canceled", "canceled", "voided"),
        ("manual.refunded", None, "refunded"),
        ("manual.counted", None, None),
    ],
)
def test_word_means_what_the_table_says(word, status, change, read):
    event = read(type=word)
    told = event.payment_change.kind if event.payment_change else None
    assert (status, change) == (event.session_status, told)


def test_receipt_counts_without_a_time(read, at):
    assert at == read().occurred_at
    assert 15 == read(occurred_at="2025-11-24T17:30:00+02:00").occurred_at.hour


def test_every_transfer_counts_once(read):
    first, second = read(id="w1").payment_change, read(id="w2").payment_change
    assert ("w1", "w2") == (first.reference, second.reference)


def test_note_is_kept(read):
    assert ("by cheque", "EUR") == (read(note="by cheque").detail, read().currency)


def test_either_id_will_do(read):
    event = read(reference=None, external_id="p1")
    assert (None, "p1") == (event.reference, event.external_id)


def test_cancel_needs_no_money(read):
    assert read(type="manual.canceled", amount=None, currency=None).amount is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"type": None},
        {"reference": None},
        {"amount": None},
        {"currency": None},
        {"amount": -5},
        {"amount": "5"},
        {"amount": 5.5},
        {"currency": "euro"},
        {"occurred_at": "yesterday"},
    ],
)
def test_word_without_what_it_needs_is_malformed(changes, read):
    with pytest.raises(Rejected) as refused:
        read(**changes)
    assert Cause.MALFORMED == refused.value.cause


def test_same_word_is_the_same_delivery(manual, simulated, resigned):
    first = simulated(manual, "captured")
    again = resigned(manual, first, json.loads(first.body))
    assert first.body != again.body
    assert manual.adapter.key(first, manual.config) == manual.adapter.key(again, manual.config)
