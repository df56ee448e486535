"""Redsys (TPV Virtual): https://pagosonline.redsys.es/desarrolladores-inicio/."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from marshmallow import validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter, Verified
from providers.meanings import Means, Told, event
from providers.schemes.currency_numbers import NumberedCurrency
from providers.schemes.diversified_hmac import (
    VERSIONS,
    DiversifiedHmac,
    des_key,
    form_of,
    parameters_of,
)
from providers.schemes.parts import usable_by

_MADRID = ZoneInfo("Europe/Madrid")
_REFUSED = {"refused": Means.FAILED, "left": Means.CANCELED, "running": Means.PENDING}
_PAYMENT = _REFUSED | {"0000": Means.PAID}
_PREAUTHORIZATION = _REFUSED | {"0000": Means.AUTHORIZED}
_CONFIRMATION = {"0000": Means.CAPTURED, "0900": Means.CAPTURED, "running": Means.IGNORED}
_REFUND = {"0900": Means.REFUNDED, "running": Means.IGNORED}
_CANCELLATION = {"0400": Means.RELEASED, "0900": Means.RELEASED}
# By Ds_TransactionType: what each outcome means (see _outcome), and what every other one does.
_TYPES = {
    **dict.fromkeys(("0", "15", "38", "A", "5", "6"), (_PAYMENT, Means.FAILED)),
    **dict.fromkeys(("1", "7", "11", "O"), (_PREAUTHORIZATION, Means.FAILED)),
    **dict.fromkeys(("2", "8", "48", "P"), (_CONFIRMATION, Means.CAPTURE_FAILED)),
    **dict.fromkeys(("3", "34"), (_REFUND, Means.REFUND_FAILED)),
    **dict.fromkeys(("9", "47", "45", "Q"), (_CANCELLATION, Means.IGNORED)),
    "46": ({"0400": Means.REFUND_FAILED}, Means.IGNORED),
}
_OUTCOMES = {900: "0900", 400: "0400", 9915: "left", 9998: "running", 9999: "running"}
_LAST_AUTHORIZED = 99
_MEANINGS = {
    f"{kind} {outcome}": row.get(outcome, other)
    for kind, (row, other) in _TYPES.items()
    for outcome in ("0000", "refused", *_OUTCOMES.values())
}
# Those that may happen several times to one order.
_MANY = frozenset({"2", "8", "48", "P", "3", "34", "46"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RedsysConfig:
    secret_keys: Annotated[
        Secrets, "Admin portal > Commerce > See key, base64 of 24 bytes", usable_by(des_key)
    ]
    merchant_code: Annotated[str, "Admin portal > Commerce > merchant number (FUC)"]
    terminal: Annotated[str, "the same page", validate.Regexp(r"[0-9]{1,3}\Z")]
    signature_versions: Annotated[
        tuple[str, ...], "the values of Ds_SignatureVersion that are accepted"
    ] = VERSIONS


class Operation(payload.Body):
    ds_order, ds_transactiontype = payload.Id(required=True), payload.NumberedId(required=True)
    ds_merchantcode, ds_terminal = (payload.NumberedId(required=True) for _ in range(2))
    ds_response, ds_currency = payload.NumberedId(required=True), NumberedCurrency(required=True)
    ds_amount = payload.WrittenMinorUnits(required=True)
    ds_authorisationcode, ds_merchantdata = (
        payload.Text(load_default="", allow_none=True) for _ in range(2)
    )
    ds_date, ds_hour = (payload.Text(load_default="", allow_none=True) for _ in range(2))


_OPERATION = Operation()


class Redsys(Adapter[RedsysConfig]):
    id = "redsys"
    Config = RedsysConfig
    scheme = DiversifiedHmac[RedsysConfig](
        lambda config: config.secret_keys, lambda config: config.signature_versions
    )
    # The customer's browser brings the same form as a query, if it is sent here to return.
    methods = ("POST", "GET")
    meanings = _MEANINGS

    def verify(self, delivery: Delivery, config: RedsysConfig) -> Verified:
        verdict = super().verify(delivery, config)
        found = parameters_of(form_of(delivery))
        terminal = str(found.get("ds_terminal")).lstrip("0")
        same = str(found.get("ds_merchantcode")) == config.merchant_code
        if not same or terminal != config.terminal.lstrip("0"):
            raise Rejected(Cause.UNKNOWN_PAYMENT, "it is of another merchant or terminal")
        return verdict

    def key(self, delivery: Delivery, config: RedsysConfig) -> bytes:
        try:
            return form_of(delivery)["Ds_MerchantParameters"].encode()
        except (Rejected, KeyError):
            return delivery.body

    def read(self, delivery: Delivery, config: RedsysConfig) -> Iterable[PaymentEvent]:
        found = _OPERATION.read(parameters_of(form_of(delivery)))
        kind, order = found["ds_transactiontype"], found["ds_order"]
        code, amount = found["ds_authorisationcode"] or "", str(found["ds_amount"])
        when = f"{found['ds_date'] or ''}:{found['ds_hour'] or ''}"
        fact = (found["ds_merchantcode"], found["ds_terminal"], order, kind, found["ds_response"])
        outcome = _outcome(found["ds_response"])
        # What was refused or has no code (`++++++`) is known by its time: it undoes nothing.
        which = code.strip("+ ") if outcome in {"0000", "0900", "0400"} else ""
        told = Told(
            event_id=":".join((*fact, code, amount, when)),
            type=kind,
            occurred_at=_time(found, delivery),
            external_id=order,
            reference=unquote(found["ds_merchantdata"] or ""),
            subject=f"{order}:{which or when}:{amount}" if kind in _MANY else order,
            total=kind not in _MANY,
            amount=found["ds_amount"],
            currency=found["ds_currency"],
        )
        return [event(delivery, told, self.meaning(f"{kind} {outcome}"))]


def _outcome(response: str) -> str:
    """What a Ds_Response comes to: a text of digits, with leading zeros or without."""
    if not re.fullmatch(r"[0-9]{1,4}", response):
        return "refused"
    code = int(response)
    return "0000" if code <= _LAST_AUTHORIZED else _OUTCOMES.get(code, "refused")


def _time(found: dict[str, Any], delivery: Delivery) -> datetime:
    """Madrid's wall clock, to the minute; both halves are URL-encoded inside the JSON."""
    if not found["ds_date"] or not found["ds_hour"]:
        return delivery.received_at
    text = f"{unquote(found['ds_date'])} {unquote(found['ds_hour'] or '')}"
    try:
        return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=_MADRID).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Rejected(Cause.MALFORMED, "Ds_Date and Ds_Hour: must be a time") from None


adapter = Redsys()
