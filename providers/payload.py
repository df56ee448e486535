"""Reading bodies: strict JSON into marshmallow schemas, times, money. Only Rejected comes out."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.money import MAX_AMOUNT, exponent

# Longer than any number that means money or time, and cheap to convert.
_MAX_DIGITS = 400
# Past this a text is no identifier, and no store key should be made of it.
_MAX_TEXT = 500
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


class MinorUnits(fields.Integer):
    """Money as an integer of minor units, never negative: a refund is told by its type."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = super()._deserialize(value, attr, data, **kwargs)
        if found is None or not 0 <= found <= MAX_AMOUNT:
            raise ValidationError("is no amount of money")
        return found


class Currency(fields.Field[str]):
    """A currency code in either case, folded to upper case."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
            raise ValidationError("must be a three-letter currency code")
        return value.upper()


class UnixTime(fields.Field[datetime]):
    """Seconds since 1970 (number or digits) as aware UTC."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return from_unix(value)
        except Rejected as error:
            raise ValidationError(error.detail) from None


class IsoTime(fields.Field[datetime]):
    """ISO 8601 with an offset (without one: UTC) as aware UTC."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return from_iso(value)
        except Rejected as error:
            raise ValidationError(error.detail) from None


class Time(fields.Field[datetime]):
    """Unix seconds as a number, or ISO 8601 as a text, as aware UTC."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return from_iso(value) if isinstance(value, str) else from_unix(value)
        except Rejected as error:
            raise ValidationError(error.detail) from None


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds; numbers with a point are Decimal, never float.

    Raises Rejected(MALFORMED) for anything else: bad UTF-8, NaN, doubled keys, absurd depth.
    """
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError):
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


def is_text(value: str) -> bool:
    """Whether a text is of sane length and valid Unicode (JSON can smuggle in lone surrogates)."""
    return len(value) <= _MAX_TEXT and not _SURROGATE.search(value)


def dig(document: Any, path: str) -> Any:
    """What a path of dotted keys leads to; None where there is nothing."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def text_at(body: bytes, name: str) -> str | None:
    """The text under a name of the JSON object in a body; None, whatever else there is."""
    try:
        found = json_object(body).get(name)
    except Rejected:
        return None
    return found if isinstance(found, str) and found and is_text(found) else None


def from_unix(value: Any) -> datetime:
    """Unix seconds (int, Decimal or digits) as aware UTC. Raises Rejected(MALFORMED)."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Rejected(Cause.MALFORMED, "must be Unix seconds")
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected(Cause.MALFORMED, "must be Unix seconds") from None


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


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_DIGITS:
        raise ValueError("number too long")
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("number too long")
    return int(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key is doubled")
    return document
