from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.domain.errors import Cause, Rejected
from gateway.domain.money import MAX_AMOUNT
from providers import payload


class Everything(payload.Body):
    id = payload.Id(required=True)
    text = payload.Text(allow_none=True)
    amount = payload.MinorUnits()
    currency = payload.Currency()
    at = payload.Time()
    unix = payload.UnixTime()
    iso = payload.IsoTime()


def refusal(action, *arguments):
    with pytest.raises(Rejected) as refused:
        action(*arguments)
    assert Cause.MALFORMED == refused.value.cause
    return refused.value.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b'"x"',
        b"{",
        b"\xff{}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b"[" * 100_000,
        b'{"a":' + b"9" * 500 + b"}",
        b'{"a":1.' + b"9" * 500 + b"}",
        b'{"a":1e99999999999999999999}',
        b'{"a":1e-99999999999999999999}',
    ],
)
def test_body_that_is_no_plain_json_object_is_malformed(body):
    refusal(payload.json_object, body)


def test_numbers_are_never_binary_floats():
    assert {"a": Decimal("0.1"), "b": 10} == payload.json_object(b'{"a": 0.1, "b": 10}')


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": {"id": 7}}, "id"),
        ({"id": ["a"]}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"id": "x" * 501}, "id"),
        ({"id": "a", "text": 7}, "text"),
        ({"id": "a", "amount": True}, "amount"),
        ({"id": "a", "amount": "1"}, "amount"),
        ({"id": "a", "amount": Decimal("1.0")}, "amount"),
        ({"id": "a", "amount": -1}, "amount"),
        ({"id": "a", "amount": MAX_AMOUNT + 1}, "amount"),
        ({"id": "a", "currency": "EURO"}, "currency"),
        ({"id": "a", "currency": "\u017f\u017f\u017f"}, "currency"),
        ({"id": "a", "at": "yesterday"}, "at"),
        ({"id": "a", "at": None}, "at"),
        ({"id": "a", "unix": True}, "unix"),
        ({"id": "a", "unix": 10**20}, "unix"),
        ({"id": "a", "iso": 7}, "iso"),
        ({"id": "a", "iso": "0001-01-01T00:00:00+23:00"}, "iso"),
    ],
)
def test_field_at_fault_is_named(fields, named):
    assert refusal(Everything().read, fields).startswith(f"{named}:")


@pytest.mark.parametrize("document", [None, [], 7, "x"])
def test_document_that_is_no_object_is_malformed(document):
    refusal(Everything().read, document)


def test_fields_are_read():
    at = datetime(2025, 11, 24, 16, tzinfo=UTC)
    loaded = Everything().read(
        {
            "id": {"id": "a", "more": 1},
            "text": "",
            "amount": MAX_AMOUNT,
            "currency": "eUr",
            "at": 1764000000,
            "unix": "1764000000",
            "iso": "2025-11-24T17:00:00+01:00",
            "unknown": object(),
        }
    )
    assert {"id": "a", "text": "", "amount": MAX_AMOUNT, "currency": "EUR"} == {
        name: loaded[name] for name in ("id", "text", "amount", "currency")
    }
    assert at == loaded["at"] == loaded["unix"] == loaded["iso"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-24T16:00:00Z", datetime(2025, 11, 24, 16, tzinfo=UTC)),
        ("2025-11-24T16:00:00", datetime(2025, 11, 24, 16, tzinfo=UTC)),
        ("2025-11-24T16:00:00.123456789Z", datetime(2025, 11, 24, 16, 0, 0, 123456, UTC)),
        ("2025-11-24T18:00:00+02:00", datetime(2025, 11, 24, 16, tzinfo=UTC)),
    ],
)
def test_iso_time_is_utc(text, expected):
    assert expected == payload.from_iso(text)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(150, "AAA", 15000), (15000, "BBB", 150), (7, "EUR", 7), (0, "BBB", 0)],
)
def test_providers_minor_units_become_those_of_iso_4217(amount, currency, expected):
    assert expected == payload.iso_minor(amount, currency, {"AAA": 0, "BBB": 4})


@pytest.mark.parametrize(("amount", "currency"), [(1, "BBB"), (MAX_AMOUNT, "AAA")])
def test_amount_that_cannot_be_told_exactly_is_refused(amount, currency):
    refusal(payload.iso_minor, amount, currency, {"AAA": 0, "BBB": 4})


@pytest.mark.parametrize(
    ("path", "expected"), [("a.b", 1), ("a", {"b": 1}), ("a.b.c", None), ("x", None), ("", None)]
)
def test_dotted_path_leads_to_a_value_or_to_nothing(path, expected):
    assert expected == payload.dig({"a": {"b": 1}}, path)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b'{"id":"a"}', "a"), (b'{"id":7}', None), (b'{"id":""}', None), (b"x", None), (b"{}", None)],
)
def test_text_of_a_body_is_found_or_is_none(body, expected):
    assert expected == payload.text_at(body, "id")


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[1]", b"[" * 5000, b'{"a":' * 5000, b"7" * 5000, b"null", b'{"a":1']
)
def test_peek_at_anything_else_is_empty(body):
    assert {} == payload.peek(body)


def test_object_may_hold_the_texts_of_objects():
    found = {"a": '{"b": 1}', "c": {"d": 2}, "e": "no object", "f": "[]"}
    opened = payload.opened(found, "a", "c", "e", "g")
    assert {"a": {"b": 1}, "c": {"d": 2}, "e": {}, "f": "[]", "g": {}} == opened


def test_peek_is_loose_where_reading_is_strict():
    assert {"a": 2} == payload.peek(b'{"a": 1, "a": 2}')
    refusal(payload.json_object, b'{"a": 1, "a": 2}')
