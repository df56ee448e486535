"""Klarna, signed webhooks and unsigned callbacks: https://docs.klarna.com/klarna-network/webhooks/."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Annotated, Any, Literal

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Settlement, Verified
from providers.meanings import Means, Told, event
from providers.schemes.api_answer import basic_get, found_object
from providers.schemes.key_id_hmac import KeyedHmac
from providers.schemes.manifest_hmac import query_value
from providers.schemes.parts import same_as_any
from providers.schemes.url_token import UrlToken
from providers.shapes import Heading, Shape, matching, text

_HEADERS = ("Klarna-Signature", "Klarna-Signing-Key-Id")
_REGIONS = {"eu": "", "na": "-na", "oc": "-oc"}
# Types in short, and states of orders and sessions; a second word is of what decides as well.
_MEANINGS = {
    "request.submitted, request.in-progress, order.authorized pending": Means.PENDING,
    # The customer is done; the merchant still has to create the transaction or place the order.
    "request.completed, session.complete": Means.REQUIRES_MORE,
    "request.authorized, transaction.authorized, order.authorized accepted": Means.AUTHORIZED,
    "transaction.completed, order.part_captured, order.captured": Means.PAID,
    "request.declined, order.authorized rejected, order.authorized stopped": Means.FAILED,
    "request.canceled, request.expired": Means.CANCELED,
    "transaction.closed, order.cancelled, order.expired, order.closed": Means.RELEASED,
    "order.refunded": Means.REFUNDED,
    "dispute.initiated": Means.DISPUTED,
    "dispute.closed won": Means.DISPUTE_WON,
    "dispute.closed lost": Means.DISPUTE_LOST,
    "transaction.expired, transaction.closed completed": Means.IGNORED,
}
_METADATA = ("metadata.event_type", "metadata.occurred_at", "metadata.live")
_HEADING = Heading("metadata.event_id|signature", *_METADATA)
_MONEY = ("dispute_details.dispute_amount", "dispute_details.currency")
_DISPUTED = ("payment_transaction_id|order_id", "payment_transaction_reference|merchant_reference2")
_DISPUTE = Shape(*_DISPUTED, *_MONEY, "payment_dispute_id", priced=False)
_NAMED = "merchant_reference1|merchant_reference2|merchant_data"
_SUMS = {Means.PAID: "captured_amount", Means.REFUNDED: "refunded_amount"}
_KEYS = "for webhooks: id -> key, Partner portal > Webhooks; during a rotation both"
_PATHS = {"order_id": "ordermanagement/v1/orders", "session_id": "payments/v1/sessions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KlarnaConfig:
    signing_keys: Annotated[Mapping[str, Secret], _KEYS] = field(default_factory=dict)
    callback_token: Annotated[Secrets, "for callbacks: ?token=<this>, of your own, in URLs"] = ()
    username: Annotated[str, "for callbacks: Merchant portal > Settings > API credentials"] = ""
    password: Annotated[Secret | None, "the password of these credentials"] = None
    region: Annotated[Literal["eu", "na", "oc"], "where the merchant account is"] = "eu"
    environment: Annotated[Literal["production", "playground"], "of the account"] = "production"


class Klarna(Adapter[KlarnaConfig]):
    id, key_path, secret_query = "klarna", "metadata.event_id", ("token",)
    Config = KlarnaConfig
    scheme = KeyedHmac[KlarnaConfig](*_HEADERS, keys=lambda config: config.signing_keys)
    unsigned = UrlToken[KlarnaConfig]("token", lambda config: config.callback_token)
    unproven = "callbacks, which bring but a token of your own; the order is fetched back"
    meanings = _MEANINGS
    ignored = ("dispute.updated*", "dispute.representment", "dispute.*arbitration")

    def verify(self, delivery: Delivery, config: KlarnaConfig) -> Verified:
        scheme = self.scheme if _callback(delivery) is None else self.unsigned
        return scheme.verify(delivery, config)

    def key(self, delivery: Delivery, config: KlarnaConfig) -> bytes | None:
        return super().key(delivery, config) if _callback(delivery) is None else None

    def read(self, delivery: Delivery, config: KlarnaConfig) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        signature = "".join(delivery.header_values(_HEADERS[0])).strip()
        told, found = _HEADING.told(document | {"signature": signature}), document.get("payload")
        word = told.type.replace("_", "-").removeprefix("payment.").replace(".state-change.", ".")
        about = word.partition(".")[0]
        state = text(found, "dispute_outcome" if about == "dispute" else "previous_state") or ""
        meaning = self.meaning(f"{word} {state.lower()}", word)
        if about == "dispute":
            told = _DISPUTE.completing(told, found, meaning)
        elif meaning:
            ids = [text(found, f"payment_{about}_{name}") for name in ("id", "reference")]
            if not any(ids):
                raise Rejected(Cause.MALFORMED, f"payload: which {about} is meant must be there")
            told = replace(told, external_id=ids[0], reference=ids[1], total=True)
        return [event(delivery, told, meaning)]

    def settle(self, delivery: Delivery, config: KlarnaConfig) -> Settlement:
        named = _callback(delivery) or {}
        stage = "" if config.environment == "production" else ".playground"
        name = "session_id" if "authorization_token" in named else "order_id"
        own_id = matching(named, name, "[A-Za-z0-9-]{1,255}")
        url = f"https://api{_REGIONS[config.region]}{stage}.klarna.com/{_PATHS[name]}/{own_id}"
        ask = basic_get(url, config.username, config.password)
        found = found_object((yield ask))
        matching(found, name, own_id)
        shape = Shape(name, _NAMED, "order_amount", "purchase_currency", name, _SUMS, total=True)
        facts = _order(found) if name == "order_id" else _session(found, named)
        events = []
        for fact, words in facts.items():
            meaning, at = self.meaning(*words), delivery.received_at
            told = Told(event_id=f"{own_id}:{fact}", type=words[-1], occurred_at=at)
            told = shape.completing(replace(told, livemode=not stage), found, meaning)
            events.append(event(delivery, told, meaning))
            if meaning == Means.AUTHORIZED and not delivery.body:
                # Else the push comes again for two days. Whether it succeeds changes nothing.
                yield replace(ask, method="POST", url=f"{url}/acknowledge")
        return events


def _callback(delivery: Delivery) -> Mapping[str, Any] | None:
    """What an unsigned callback names in its body or query; None: it has to be signed."""
    if any(delivery.header_values(name) for name in _HEADERS):
        return None
    if not delivery.body:
        named = query_value(delivery, "klarna_order_id") or query_value(delivery, "order_id")
        return {"order_id": named}
    body = payload.peek(delivery.body)
    return body if {"session_id", "order_id"} & body.keys() and "metadata" not in body else None


def _order(found: dict[str, Any]) -> dict[str, list[str]]:
    """All that an order tells of itself: its state, and what was refunded of it."""
    kind, fraud = f"order.{matching(found, 'status').lower()}", text(found, "fraud_status") or ""
    captured, refunded = found.get("captured_amount"), found.get("refunded_amount")
    words = [f"{kind} {fraud.lower()}", "order.captured" if captured else kind, kind]
    facts = {f"{kind}:{captured}:{refunded}:{fraud}": words}
    return facts | ({f"refunded:{refunded}": ["order.refunded"]} if refunded else {})


def _session(found: dict[str, Any], named: Mapping[str, Any]) -> dict[str, list[str]]:
    """That the customer is done. The token can still place an order: only its digest is kept."""
    token, given = text(found, "authorization_token"), text(named, "authorization_token")
    if text(found, "status") != "complete" or not token or not same_as_any(token, [given or ""]):
        raise Rejected(Cause.UNVERIFIABLE, "Klarna does not confirm this authorization")
    return {sha256(token.encode()).hexdigest()[:16]: ["session.complete"]}


adapter = Klarna()
