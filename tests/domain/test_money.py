from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import InvalidInput
from gateway.domain.money import MAX_AMOUNT, Money, exponent, major_units, minor_units

CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KRW", "KWD", "BHD", "CLF", "ISK"])


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("ISK", 0), ("CLP", 0), ("MGA", 2)],
)
def test_exponent_is_that_of_iso_4217(currency, decimals):
    assert decimals == exponent(currency)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("42.50", "EUR", 4250),
        ("42.5", "EUR", 4250),
        ("42.", "EUR", 4200),
        ("42", "EUR", 4200),
        (42, "EUR", 4200),
        (Decimal("0.07"), "EUR", 7),
        (Decimal("1E+2"), "EUR", 10000),
        (Decimal("42.300000000000004"), "EUR", 4230),
        ("5000", "JPY", 5000),
        ("5000.00", "JPY", 5000),
        ("1.234", "KWD", 1234),
        ("-3.10", "EUR", -310),
        (" 3.10 ", "EUR", 310),
    ],
)
def test_minor_units_are_exact(text, currency, amount):
    assert amount == minor_units(text, currency)


def test_minor_units_follow_a_providers_own_exponent():
    assert 4200 == minor_units("42", "ISK", decimals=2)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1,50", "1e3", "NaN", "Infinity", "0x10", "1.2.3", "--1", "९", "1" * 40, True, None),
        *(Decimal("NaN"), Decimal("Infinity"), Decimal("1E+999999")),
    ],
)
def test_minor_units_refuse_what_is_no_plain_number(text):
    with pytest.raises(InvalidInput):
        minor_units(text, "EUR")


@given(st.integers(-MAX_AMOUNT, MAX_AMOUNT), CURRENCIES)
def test_minor_units_undo_major_units(amount, currency):
    assert amount == minor_units(major_units(amount, currency), currency)


@pytest.mark.parametrize("amount", [1.0, "1", True, MAX_AMOUNT + 1, None])
def test_money_is_an_integer_in_bounds(amount):
    with pytest.raises(InvalidInput, match="amount"):
        Money(amount, "EUR")


@pytest.mark.parametrize("currency", ["eur", "EURO", "E1R", ""])
def test_money_has_an_iso_currency(currency):
    with pytest.raises(InvalidInput, match="currency"):
        Money(1, currency)
