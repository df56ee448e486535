"""Reading bodies: strict JSON into marshmallow schemas, times, money. Only Rejected comes out."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from gateway.domain.errors import Cause, InvalidInput, Rejected
from gateway.domain.money import MAX_AMOUNT, exponent, minor_units

# Longer than any number that means money or time, and cheap to convert.
_MAX_DIGITS = 400
# Past this a text is no identifier, and no store key should be made of it.
_MAX_TEXT = 500
# Coins that merchants price in, and their decimals: ISO 4217 does not know them.
_COINS = {"BTC": 8, "BCH": 8, "LTC": 8}
# What providers call the mode in which money is real, and the one in which it is not.
_MODES = dict.fromkeys(("true", "1", "live", "production"), True)
_MODES |= dict.fromkeys(("false", "0", "test", "sandbox"), False)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CURRENCY = re.compile(r"[A-Za-z]{3}")


class Body(Schema):
    """A schema of the fields that an adapter uses; whatever else a provider sends is let be."""

    class Meta:
        unknown = EXCLUDE

    def read(self, document: Any) -> dict[str, Any]:
        """The loaded fields. Raises Rejected(MALFORMED) that names the fields at fault."""
        try:
            loaded: dict[str, Any] = self.load(document)
        except ValidationError as error:
            raise Rejected(Cause.MALFORMED, _paths(error.messages)) from None
        except (OverflowError, RecursionError, ValueError, ArithmeticError):
            raise Rejected(Cause.MALFORMED, "a value is out of range") from None
        return loaded


class Text(fields.String):
    """A text that can be stored and signed: of sane length, without lone surrogates."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        found = super()._deserialize(value, attr, data, **kwargs)
        if found is None or not is_text(found):
            raise ValidationError("must be a short text of valid characters")
        return found


class Id(Text):
    """An id, or in its place the object that has it: some providers send either."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, Mapping):
            value = value.get("id")
        found = super()._deserialize(value, attr, data, **kwargs)
        if not found:
            raise ValidationError("must not be empty")
        return found


class NumberedId(Id):
    """An id that a provider writes as a text or as a number; always a text with us."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, Mapping):
            value = value.get("id")
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        return super()._deserialize(value, attr, data, **kwargs)


class MinorUnits(fields.Integer):
    """Money as an integer of minor units, never negative: a refund is told by its type."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = super()._deserialize(value, attr, data, **kwargs)
        if found is None or not 0 <= found <= MAX_AMOUNT:
            raise ValidationError("is no amount of money")
        return found


class WrittenMinorUnits(MinorUnits):
    """Minor units that a provider writes as a number or as digits in a text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
            value = int(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Currency(fields.Field[str]):
    """A currency code in either case, folded to upper case."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
            raise ValidationError("must be a three-letter currency code")
        return value.upper()


class Mode(fields.Field[bool | None]):
    """Whether money is real: a truth value, or the mode's name; any other name tells nothing."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool | None:
        if not isinstance(value, str | int):
            raise ValidationError("must be a truth value or the name of a mode")
        return _MODES.get(str(value).strip().lower())


class UnixTime(fields.Field[datetime]):
    """Seconds since 1970 (number or digits) as aware UTC."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return self.read(value)
        except Rejected as error:
            raise ValidationError(error.detail) from None

    def read(self, value: Any) -> datetime:
        return from_unix(value)


class IsoTime(UnixTime):
    """ISO 8601 with an offset (without one: UTC) as aware UTC."""

    def read(self, value: Any) -> datetime:
        return from_iso(value)


class Time(UnixTime):
    """Unix seconds as a number, or ISO 8601 as a text, as aware UTC."""

    def read(self, value: Any) -> datetime:
        return from_iso(value) if isinstance(value, str) else from_unix(value)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds; numbers with a point are Decimal, never float.

    Raises Rejected(MALFORMED) for anything else: bad UTF-8, NaN, doubled keys, absurd depth.
    """
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_float=lambda digits: Decimal(_short(digits)),
            parse_int=lambda digits: int(_short(digits)),
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
    except (ValueError, ArithmeticError, RecursionError):
        # Arithmetic: an exponent that no number can have.
        raise Rejected(Cause.MALFORMED, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Rejected(Cause.MALFORMED, "the body is not a JSON object")
    return document


def iso_minor(amount: int, currency: str, decimals: Mapping[str, int]) -> int:
    """An amount in a provider's minor units as ISO 4217's; `decimals` names where they differ.

    Exact: an amount that ISO 4217 cannot express is Rejected(MALFORMED), never rounded.
    """
    ours = exponent(currency)
    theirs = decimals.get(currency, ours)
    whole, rest = divmod(amount * int(10**ours), int(10**theirs))
    if rest or whole > MAX_AMOUNT:
        raise Rejected(Cause.MALFORMED, f"amount: there is no such amount of {currency}")
    return whole


def from_major(value: Any, currency: str, decimals: int | None = None) -> int:
    """An amount in major units (a number or a decimal text) as minor units, never negative.

    `decimals` are those of what the value counts. Raises Rejected(MALFORMED).
    """
    try:
        places = _COINS.get(currency) if decimals is None else decimals
        found = minor_units(value, currency, places)
    except InvalidInput as error:
        raise Rejected(Cause.MALFORMED, str(error)) from None
    if found < 0:
        raise Rejected(Cause.MALFORMED, "amount: must not be negative")
    return found


def is_text(value: str) -> bool:
    """Whether a text is of sane length and valid Unicode (JSON can smuggle in lone surrogates)."""
    return len(value) <= _MAX_TEXT and not _SURROGATE.search(value)


def dig(document: Any, path: str) -> Any:
    """What a path of dotted keys, or of places in lists, leads to; None where there is nothing."""
    for name in path.split("."):
        if isinstance(document, list) and name.isdecimal():
            document = next(iter(document[int(name) :]), None)
        else:
            document = document.get(name) if isinstance(document, dict) else None
    return document


def need(found: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that has a value. Raises Rejected(MALFORMED) if none has."""
    for name in names:
        if found.get(name) not in (None, ""):
            return found[name]
    raise Rejected(Cause.MALFORMED, f"{' or '.join(names)}: must be there")


def require(found: Mapping[str, Any], *names: str) -> None:
    """Raises Rejected(MALFORMED) unless each of these fields has a value."""
    for name in names:
        need(found, name)


def text_under(document: Any, path: str) -> str | None:
    """The text (or whole number, as text) under a path of dotted keys; None, whatever else."""
    found = dig(document, path)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found if isinstance(found, str) and found and is_text(found) else None


def loose_object(value: Any) -> dict[str, Any]:
    """An object, or the text of a JSON object; anything else is an empty one."""
    if isinstance(value, str):
        try:
            return json_object(value.encode("utf-8", "surrogatepass"))
        except Rejected:
            return {}
    return value if isinstance(value, dict) else {}


def opened(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """An object, with objects under these names also where it holds the texts of such."""
    return {**found, **{name: loose_object(found.get(name)) for name in names}}


@lru_cache(maxsize=8)
def peek(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body, read fast and loosely, for keys and routing; empty if none.

    Remembered for a moment: whoever verifies a delivery looks first, whoever makes its key next.
    """
    try:
        document = _loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _loads(body: bytes) -> Any:
    try:
        # Several times as fast, and a provider waits.
        return orjson.loads(body)
    except ValueError:
        # It is stricter: lone surrogates, depths that nobody needs.
        return json.loads(body.decode("utf-8"))


def text_at(body: bytes, name: str) -> str | None:
    """The text under a name of the JSON object in a body, read loosely; None, whatever else."""
    found = peek(body).get(name)
    return found if isinstance(found, str) and found and is_text(found) else None


def from_unix(value: Any) -> datetime:
    """Unix seconds (int, Decimal or digits) as aware UTC. Raises Rejected(MALFORMED)."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Rejected(Cause.MALFORMED, "must be Unix seconds")
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected(Cause.MALFORMED, "must be Unix seconds") from None


def from_millis(value: Any) -> datetime:
    """Unix milliseconds (int or digits) as aware UTC. Raises Rejected(MALFORMED)."""
    number = isinstance(value, int) and not isinstance(value, bool)
    if not number and not (isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value)):
        raise Rejected(Cause.MALFORMED, "must be Unix milliseconds")
    return from_unix(Decimal(value) / 1000)


def from_iso(value: Any) -> datetime:
    """ISO 8601 text as aware UTC; fractions beyond microseconds are cut. Raises Rejected."""
    if not isinstance(value, str):
        raise Rejected(Cause.MALFORMED, "must be an ISO 8601 time")
    try:
        parsed = datetime.fromisoformat(value.strip())
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Rejected(Cause.MALFORMED, "must be an ISO 8601 time") from None


def _paths(messages: Any, prefix: str = "") -> str:
    if not isinstance(messages, dict):
        return f"{prefix}: {', '.join(map(str, messages))}"
    return "; ".join(
        _paths(inner, f"{prefix}.{name}" if prefix else str(name))
        for name, inner in messages.items()
    )


def _short(digits: str) -> str:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("number too long")
    return digits


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key is doubled")
    return document
