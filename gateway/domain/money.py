"""Money: an integer of minor units and an ISO 4217 currency. No binary floats anywhere."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from gateway.domain.errors import InvalidInput

# ISO 4217, list one: the currencies whose minor unit is not the hundredth.
_ZERO_DECIMALS = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
)
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_FOUR_DECIMALS = frozenset("CLF UYW".split())
_CURRENCY = re.compile(r"[A-Z]{3}")
_MAX_DIGITS = 30
_DECIMAL = re.compile(r"[+-]?\d{1,30}(\.\d{0,30})?", re.ASCII)
_EXACT = Context(prec=3 * _MAX_DIGITS)
# Past this an amount is a mistake or an attack; it also keeps every amount exact in JSON readers.
MAX_AMOUNT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in minor units of `currency` (upper-case ISO 4217 code)."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.amount, bool) or not isinstance(self.amount, int):
            raise InvalidInput("amount", "must be an integer of minor units")
        if abs(self.amount) > MAX_AMOUNT:
            raise InvalidInput("amount", f"must be at most {MAX_AMOUNT} minor units")
        if not _CURRENCY.fullmatch(self.currency):
            raise InvalidInput("currency", "must be a three-letter ISO 4217 code in upper case")


def exponent(currency: str) -> int:
    """Number of decimals of a currency by ISO 4217 (EUR 2, JPY 0, KWD 3)."""
    if currency in _ZERO_DECIMALS:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    return 4 if currency in _FOUR_DECIMALS else 2


def minor_units(value: str | int | Decimal, currency: str, decimals: int | None = None) -> int:
    """`value` in major units as minor units; `decimals` is a provider's own exponent, if any.

    Exact for every amount that the currency can express; digits past its exponent (a provider's
    rounding artefacts, `42.300000000000004`) are rounded half up. Raises InvalidInput for whatever
    is no plain decimal number.
    """
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= _MAX_DIGITS:
        value = format(value, "f")
    text = str(value).strip()
    if isinstance(value, bool) or not _DECIMAL.fullmatch(text):
        raise InvalidInput("amount", "must be a plain decimal number")
    scaled = _EXACT.scaleb(Decimal(text), exponent(currency) if decimals is None else decimals)
    return Money(int(scaled.to_integral_value(ROUND_HALF_UP, _EXACT)), currency).amount


def major_units(amount: int, currency: str, decimals: int | None = None) -> str:
    """The decimal text of an amount of minor units: what people and some providers' APIs write."""
    places = exponent(currency) if decimals is None else decimals
    return format(Decimal(amount).scaleb(-places), "f")
