"""Przelewy24, REST API v1: https://developers.przelewy24.pl."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, ApiAnswer, ApiRequest, Settlement, Verified
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.basic_auth import basic_header
from providers.schemes.field_digest import FieldDigest
from providers.schemes.parts import live, same_as_any

_HOSTS = {True: "https://sandbox.przelewy24.pl", False: "https://secure.przelewy24.pl"}
# What is signed, in this order.
_TRANSACTION = (
    "merchantId posId sessionId amount originAmount currency orderId methodId statement".split()
)
_REFUND = "orderId sessionId refundsUuid merchantId amount currency status".split()
_VERIFICATION = "sessionId orderId amount currency".split()
# Przelewy24 has no types: these are made of what is told and of how it ended.
_MEANINGS = {
    "transaction.verified": Means.PAID,
    "transaction.refused": Means.FAILED,
    "transaction.underpaid": Means.REQUIRES_MORE,
    "refund.0": Means.REFUNDED,
    "refund.1": Means.REFUND_FAILED,
}


def _digest(document: Mapping[str, Any], crc: Secret) -> str:
    names = _REFUND if "refundsUuid" in document else _TRANSACTION
    return _sha384({name: document.get(name) for name in names}, crc)


def _sha384(signed: Mapping[str, Any], crc: Secret) -> str:
    """The digest of compact JSON whose last field is the CRC key; numbers stay as they are."""
    plain = {
        name: value if isinstance(value, str | int) else None for name, value in signed.items()
    }
    text = json.dumps(plain | {"crc": crc.value}, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha384(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Przelewy24Config:
    merchant_id: Annotated[int, "panel > My data > API data and configuration > Merchant ID"]
    pos_id: Annotated[int, "the shop's ID; the merchant ID if there is only one shop"]
    crc: Annotated[Secrets, "panel > My data > API data and configuration > CRC key"]
    report_key: Annotated[Secret, "in the same place: the key for the API (reports)"]
    sandbox: Annotated[bool, "true if the account is of sandbox.przelewy24.pl"] = False


class Notification(payload.Body):
    order_id = payload.NumberedId(required=True, data_key="orderId")
    session_id = payload.Id(required=True, data_key="sessionId")
    amount, currency = payload.MinorUnits(required=True), payload.Currency(required=True)
    expected = payload.MinorUnits(load_default=None, data_key="originAmount")
    refund_id = payload.Id(load_default=None, data_key="refundsUuid")
    status = fields.Integer(load_default=None, strict=True)
    timestamp = payload.UnixTime(load_default=None)


_NOTIFICATION = Notification()


class Przelewy24(Adapter[Przelewy24Config]):
    id = "przelewy24"
    Config = Przelewy24Config
    scheme = FieldDigest[Przelewy24Config]("sign", lambda config: config.crc, _digest)
    meanings = _MEANINGS

    def verify(self, delivery: Delivery, config: Przelewy24Config) -> Verified:
        verdict, document = super().verify(delivery, config), payload.json_object(delivery.body)
        ours = {"merchantId": config.merchant_id, "posId": config.pos_id}
        if any(document.get(name, value) != value for name, value in ours.items()):
            raise Rejected(Cause.UNKNOWN_PAYMENT, "it is of another merchant or shop")
        return replace(verdict, settled="refundsUuid" in document or _is_underpaid(document))

    def read(self, delivery: Delivery, config: Przelewy24Config) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        found = _NOTIFICATION.read(document)
        if found["refund_id"]:
            return [_event(delivery, found, f"refund.{payload.need(found, 'status')}")]
        if _is_underpaid(document):
            return [_event(delivery, found, "transaction.underpaid")]
        raise Rejected(Cause.UNVERIFIABLE, "a transaction is not booked until it is verified")

    def settle(self, delivery: Delivery, config: Przelewy24Config) -> Settlement:
        document = payload.json_object(delivery.body)
        found = _NOTIFICATION.read(document)
        # The money is booked only if we ask for as much as the shop did, whatever has come.
        asked = document | {"amount": payload.need(found, "expected")}
        answer = yield _verification(document, asked, config)
        word = "transaction.verified" if _is_success(answer) else "transaction.refused"
        return [_event(delivery, found, word)]


def _is_underpaid(document: Mapping[str, Any]) -> bool:
    came, expected = document.get("amount"), document.get("originAmount")
    return isinstance(came, int) and isinstance(expected, int) and came < expected


def _verification(
    document: Mapping[str, Any], asked: Mapping[str, Any], config: Przelewy24Config
) -> ApiRequest:
    given = [str(document.get("sign"))]
    secrets = live(config.crc)
    crc = next((s for s in secrets if same_as_any(_digest(document, s), given)), secrets[0])
    signed = {name: asked[name] for name in _VERIFICATION}
    account = {"merchantId": config.merchant_id, "posId": config.pos_id}
    body = json.dumps(account | signed | {"sign": _sha384(signed, crc)}).encode()
    login = basic_header(config.pos_id, config.report_key)
    headers = (login, ("Content-Type", "application/json"))
    url = f"{_HOSTS[config.sandbox]}/api/v1/transaction/verify"
    return ApiRequest("PUT", url, headers, body)


def _is_success(answer: ApiAnswer) -> bool:
    """Whether the transaction was verified. Raises Rejected if it was not even looked at."""
    if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT):
        return False
    return bool(payload.dig(found_object(answer), "data.status") == "success")


def _event(delivery: Delivery, found: dict[str, Any], word: str) -> PaymentEvent:
    refund = found["refund_id"]
    told = Told(
        event_id=":".join(filter(None, (found["order_id"], refund, word))),
        type=word,
        occurred_at=found["timestamp"] or delivery.received_at,
        external_id=found["order_id"],
        reference=found["session_id"],
        subject=refund or found["order_id"],
        amount=found["amount"],
        currency=found["currency"],
    )
    return event(delivery, told, meaning_of([word], _MEANINGS))


adapter = Przelewy24()
