"""Where a provider's JSON holds what an event is made of, as data: paths of dotted keys.

Between alternatives stands `|`: the first that leads to a value counts.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from providers import payload
from providers.meanings import Meaning, Told


class _Heading(payload.Body):
    event_id, type = payload.NumberedId(required=True), payload.Text(required=True)
    occurred_at = payload.Time(required=True)
    livemode = payload.Mode(allow_none=True)


class _Money(payload.Body):
    amount, currency = payload.MinorUnits(required=True), payload.Currency(required=True)


class _Digits(_Money):
    amount = payload.WrittenMinorUnits(required=True)


class _Major(payload.Body):
    amount, currency = fields.Raw(required=True), payload.Currency(required=True)


class _Time(payload.Body):
    at = payload.Time(required=True)


_HEADING, _TIME = _Heading(), _Time()
_MONEY, _DIGITS, _MAJOR = _Money(), _Digits(), _Major()


@dataclass(frozen=True, slots=True)
class Heading:
    """What every event of a provider says of itself, whatever it is about."""

    event_id: str
    type: str
    occurred_at: str = ""
    livemode: str = ""

    def told(self, document: Any, at: datetime | None = None) -> Told:
        """What is told; `at` is when, if the document does not say. Raises Rejected(MALFORMED)."""
        found = {name: first(document, getattr(self, name)) for name in _HEADING.fields}
        if found["occurred_at"] is None and at is not None:
            found["occurred_at"] = at.isoformat()
        return Told(**_HEADING.read(found))


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object of one kind says of its payment.

    Whatever happens to the whole payment is known by the payment's id, what happens to a part of
    it (a refund, a dispute; with `in_parts` a capture too) by the object's own. `sums` are the
    amounts that some meanings have for themselves; with `total` they are sums so far. With
    `priced`, money must be told by every meaning, else only by those that hold or move it. With
    `major`, amounts are in major units; with `digits`, minor units may be written as texts. `at`
    is a better time than the heading's, if it is told. Which payment is meant must be told, but for
    what may be `unlinked`.
    """

    external_id: str
    reference: str = ""
    amount: str = "amount"
    currency: str = "currency"
    own_id: str = "id"
    sums: Mapping[Meaning, str] = field(default_factory=dict)
    total: bool = False
    in_parts: bool = False
    priced: bool = True
    major: bool = False
    digits: bool = False
    unlinked: bool = False
    at: str = ""

    def completing(self, told: Told, found: Any, meaning: Meaning | None) -> Told:
        """What was told, with what the object adds if it concerns a payment. Raises Rejected."""
        if not meaning:
            return told
        own_id, payment_id = id_at(found, self.own_id), id_at(found, self.external_id)
        if own_id is None:
            raise Rejected(Cause.MALFORMED, f"{self.own_id}: must be there")
        reference = id_at(found, self.reference)
        if payment_id is reference is None and not self.unlinked:
            paths = "|".join(filter(None, (self.external_id, self.reference)))
            raise Rejected(Cause.MALFORMED, f"{paths}: must be there")
        at = first(found, self.at)
        return replace(
            told,
            occurred_at=told.occurred_at if at is None else _TIME.read({"at": at})["at"],
            external_id=payment_id,
            reference=reference,
            subject=payment_id if meaning.session_status and not self.in_parts else own_id,
            total=self.total,
            **self._money(found, meaning),
        )

    def _money(self, found: Any, meaning: Meaning) -> dict[str, Any]:
        amount = first(found, self.sums.get(meaning, self.amount))
        currency = first(found, self.currency)
        if amount is None and not (self.priced or meaning.needs_amount):
            return {}
        schema = _MAJOR if self.major else _DIGITS if self.digits else _MONEY
        money = schema.read({"amount": amount, "currency": currency})
        if self.major:
            money["amount"] = payload.from_major(money["amount"], money["currency"])
        return money


def first(document: Any, paths: str) -> Any:
    """The first value that there is under one of the paths; None, where there is none."""
    found = (payload.dig(document, path) for path in paths.split("|"))
    return next((value for value in found if value is not None), None)


def text(document: Any, paths: str) -> str | None:
    """The first text under one of the paths, where an object counts as its id; else None."""
    for path in paths.split("|"):
        found = payload.dig(document, path)
        value = found.get("id") if isinstance(found, dict) else found
        if isinstance(value, str) and value and payload.is_text(value):
            return value
    return None


def id_at(document: Any, paths: str) -> str | None:
    """The first id under one of the paths: a text, or a whole number as text; else None."""
    for path in paths.split("|"):
        if found := text(document, path) or payload.text_under(document, path):
            return found
    return None


def word(document: Any, paths: str) -> str:
    """The text, whole number or truth value under one of the paths, as JSON writes it; else empty.

    Raises Rejected(MALFORMED) for anything else.
    """
    found = first(document, paths)
    if isinstance(found, int):
        return json.dumps(found)
    if found is not None and not (isinstance(found, str) and payload.is_text(found)):
        raise Rejected(Cause.MALFORMED, f"{paths}: must be a short text")
    return found or ""


def items(document: Any, path: str) -> list[Any]:
    """What a list under a path holds; nothing, where there is no list."""
    found = payload.dig(document, path)
    return found if isinstance(found, list) else []


def major_sum(parts: list[Any], amount: str, currency: str) -> tuple[int | None, str | None]:
    """The sum of money in major units, in minor units, and its currency; nothing, where none is.

    Raises Rejected(MALFORMED) for several currencies.
    """
    named = {text(part, currency) for part in parts}
    if named <= {None}:
        return None, None
    if len(named) > 1:
        raise Rejected(Cause.MALFORMED, f"{currency}: must be one and the same")
    code = str(named.pop()).upper()
    return sum(payload.from_major(first(part, amount), code) for part in parts), code


def matching(document: Any, path: str, pattern: str = ".+") -> str:
    """The text under a path, if a pattern (ASCII) matches the whole of it. Raises MALFORMED."""
    found = first(document, path)
    is_text = isinstance(found, str) and payload.is_text(found)
    if not is_text or not re.fullmatch(pattern, found, re.ASCII):
        raise Rejected(Cause.MALFORMED, f"{path}: must be there, and plain")
    return str(found)


def major_at(document: Any, path: str) -> int:
    """The `value` of money under a path, in minor units of its `currency`; 0, where none is."""
    return major_sum([document], f"{path}.value", f"{path}.currency")[0] or 0
