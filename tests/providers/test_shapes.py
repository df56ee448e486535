from datetime import UTC, datetime

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.meanings import Means, Told, by_word
from providers.shapes import Heading, Shape, first, matching, text, word

AT = datetime(2025, 11, 24, 16, tzinfo=UTC)
TOLD = Told(event_id="e1", type="x", occurred_at=AT)
SHAPE = Shape("payment.id|id", "named", sums={Means.PAID: "got"}, total=True)
FOUND = {"id": "r1", "payment": {"id": "p1"}, "named": "s1", "amount": 7, "currency": "eur"}


def refusal(function, *arguments):
    with pytest.raises(Rejected) as refused:
        function(*arguments)
    assert Cause.MALFORMED == refused.value.cause
    return refused.value.detail


def test_object_completes_what_was_told():
    told = SHAPE.completing(TOLD, FOUND, Means.AUTHORIZED)
    assert ("p1", "s1", "p1", 7, "EUR") == (
        told.external_id,
        told.reference,
        told.subject,
        told.amount,
        told.currency,
    )
    assert told.total


def test_part_of_a_payment_is_known_by_its_own_id():
    assert "r1" == SHAPE.completing(TOLD, FOUND, Means.REFUNDED).subject


def test_sum_of_a_meaning_replaces_the_amount():
    assert 5 == SHAPE.completing(TOLD, {**FOUND, "got": 5}, Means.PAID).amount
    assert "amount" in refusal(SHAPE.completing, TOLD, FOUND, Means.PAID)


@pytest.mark.parametrize("meaning", [None, Means.IGNORED])
def test_what_concerns_no_payment_is_left_as_it_is(meaning):
    assert TOLD is SHAPE.completing(TOLD, None, meaning)


@pytest.mark.parametrize(
    "changes", [{"id": None}, {"id": True}, {"amount": None}, {"amount": "7"}, {"currency": None}]
)
def test_object_without_what_is_needed_is_malformed(changes):
    refusal(SHAPE.completing, TOLD, {**FOUND, **changes}, Means.CANCELED)


def test_money_may_be_missing_where_none_moves():
    free = Shape("id", priced=False)
    bare = {"id": "p1"}
    assert free.completing(TOLD, bare, Means.CANCELED).amount is None
    refusal(free.completing, TOLD, bare, Means.CAPTURED)
    refusal(free.completing, TOLD, {**bare, "amount": 7}, Means.CANCELED)


def test_heading_is_read():
    heading = Heading("event.id", "kind", "at", "live")
    document = {"event": {"id": "e1"}, "kind": "x", "at": 1764000000, "live": True}
    assert Told(event_id="e1", type="x", occurred_at=AT, livemode=True) == heading.told(document)
    assert Heading("id", "type", "at").told({"id": "1", "type": "", "at": 0}).livemode is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(False, False), ("live", True), (" Production", True), ("SANDBOX", False), ("dry run", None)],
)
def test_mode_is_a_truth_value_or_a_name(value, expected):
    document = {"id": "e1", "type": "x", "mode": value}
    assert expected is Heading("id", "type", livemode="mode").told(document, AT).livemode


@pytest.mark.parametrize("value", [[1], [], {}])
def test_mode_that_is_neither_is_malformed(value):
    document = {"id": "e1", "type": "x", "mode": value}
    refusal(Heading("id", "type", livemode="mode").told, document, AT)


@pytest.mark.parametrize("name", ["id", "kind", "at"])
def test_heading_without_a_part_is_malformed(name):
    document = {"id": "e1", "kind": "x", "at": 1764000000}
    del document[name]
    refusal(Heading("id", "kind", "at").told, document)


def test_first_value_counts_even_if_it_is_zero():
    assert 0 == first({"a": None, "b": {"c": 0}, "d": 1}, "a|b.c|d")
    assert first({}, "a|b") is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"a": "x"}, "x"),
        ({"a": "", "b": "y"}, "y"),
        ({"a": {"id": "z"}}, "z"),
        ({"a": 7}, None),
        ({"a": "\ud800"}, None),
        ({"a": "x" * 501}, None),
        ([], None),
        (None, None),
    ],
)
def test_text_is_found_or_is_none(found, expected):
    assert expected == text(found, "a|b")


@pytest.mark.parametrize(
    ("value", "expected"), [("x", "x"), (True, "true"), (7, "7"), (None, ""), ("", "")]
)
def test_word_is_what_json_writes(value, expected):
    assert expected == word({"a": value}, "a")


@pytest.mark.parametrize("value", [{}, [], 1.5, "\ud800", "x" * 501])
def test_word_that_is_none_is_malformed(value):
    refusal(word, {"a": value}, "a")


def test_matching_text_is_whole_and_ascii():
    assert "abc_1" == matching({"a": {"b": "abc_1"}}, "a.b", r"\w+")
    for value in ("abc\n", "äbc", "a b", "", None, 7, {"id": "a"}):
        refusal(matching, {"a": {"b": value}}, "a.b", r"\w+")


def test_words_of_one_meaning_may_share_a_row():
    rows = {"a true, b.c": Means.PAID, "d": Means.FAILED}
    assert {"a true": Means.PAID, "b.c": Means.PAID, "d": Means.FAILED} == by_word(rows)
