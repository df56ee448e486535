"""Mercado Pago: https://www.mercadopago.com/developers/en/docs/your-integrations/notifications/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets, Tolerance
from providers.contract import Adapter, Settlement
from providers.meanings import Means, Told, event, meaning_of
from providers.schemes.api_answer import bearer_get, found_object
from providers.schemes.manifest_hmac import ManifestHmac, query_value, signed_id
from providers.shapes import items

_text = payload.text_under
_API = "https://api.mercadopago.com"
# Topics that are fetched back: from where, and what there holds the money and the payment's id.
_FETCHED = {
    "payment": ("/v1/payments", "transaction_amount", "id"),
    "order": ("/v1/orders", "total_amount", "id"),
    "topic_chargebacks_wh": ("/v1/chargebacks", "amount", "payments.0"),
    "topic_claims_integration_wh": ("/post-purchase/v1/claims", "amount", "resource_id"),
}
# A topic with the fetched status, and where it decides with the `status_detail`.
_MEANINGS = {
    "payment pending, payment in_process, order created, order processing": Means.PENDING,
    "payment pending pending_challenge, order action_required": Means.REQUIRES_MORE,
    "payment authorized": Means.AUTHORIZED,
    "payment approved, order processed": Means.PAID,
    "payment rejected": Means.FAILED,
    "payment cancelled": Means.RELEASED,
    "order canceled": Means.CANCELED,
    "payment refunded, order refunded": Means.REFUNDED,
    "payment in_mediation, payment charged_back": Means.DISPUTED,
    "topic_chargebacks_wh, topic_claims_integration_wh": Means.DISPUTED,
    "payment charged_back settled": Means.DISPUTE_LOST,
    "payment charged_back reimbursed": Means.DISPUTE_WON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MercadoPagoConfig:
    webhook_secrets: Annotated[
        Secrets,
        "Your integrations > (application) > Webhooks > Configure notifications > secret signature",
    ]
    access_token: Annotated[
        Secret | None, "Your integrations > (application) > Production (or Test) credentials"
    ] = None
    tolerance_seconds: Tolerance = None


class MercadoPago(Adapter[MercadoPagoConfig]):
    id = "mercado_pago"
    Config = MercadoPagoConfig
    scheme = ManifestHmac[MercadoPagoConfig](
        header="x-signature",
        request_id="x-request-id",
        subject="data.id",
        secrets=lambda config: config.webhook_secrets,
        window=lambda config: config.tolerance_seconds,
    )
    refusal_status = 401
    unproven = "the body, which names an id only; the payment is fetched back"
    meanings = _MEANINGS
    ignored = tuple(
        "topic_merchant_order_wh subscription_* mp-connect point_integration_wh topic_card_id_wh"
        " delivery stop_delivery_op_wh".split()
    )

    def asks(self, delivery: Delivery, config: MercadoPagoConfig) -> bool:
        return _topic(delivery) in _FETCHED

    def key(self, delivery: Delivery, config: MercadoPagoConfig) -> bytes:
        # The body is not signed: the id in the query, which is, belongs to the key.
        return query_value(delivery, "data.id").encode("utf-8", "replace") + b"\n" + delivery.body

    def read(self, delivery: Delivery, config: MercadoPagoConfig) -> Iterable[PaymentEvent]:
        topic = _topic(delivery)
        if topic in _FETCHED:
            raise Rejected(Cause.UNVERIFIABLE, "a notification says nothing until it is settled")
        told = _told(delivery, payload.json_object(delivery.body), topic)
        return [event(delivery, told, meaning_of([topic], {}, self.ignored))]

    def settle(self, delivery: Delivery, config: MercadoPagoConfig) -> Settlement:
        notice, topic = payload.json_object(delivery.body), _topic(delivery)
        payload.need({"id": _text(notice, "id")}, "id")
        own_id = signed_id(delivery, "data.id", _text(notice, "data.id"))
        url = f"{_API}{_FETCHED[topic][0]}/{own_id}"
        found = found_object((yield bearer_get(url, config.access_token)))
        # Chargebacks can be asked for by their payment's id too.
        ids = {(_text(found, path) or "").lower() for path in ("id", _FETCHED[topic][2])}
        if own_id.lower() not in ids:
            raise Rejected(Cause.MALFORMED, "id: the API answered with another object")
        told, words = _complete(_told(delivery, notice, topic), topic, found)
        return [event(delivery, told, self.meaning(*words))]


def _topic(delivery: Delivery) -> str:
    return payload.text_at(delivery.body, "type") or query_value(delivery, "type")


def _told(delivery: Delivery, notice: dict[str, Any], topic: str) -> Told:
    at = notice.get("date_created")
    return Told(
        event_id=_text(notice, "id") or f"{topic}:{query_value(delivery, 'data.id')}",
        type=_text(notice, "action") or topic or "unknown",
        occurred_at=payload.from_iso(at) if at else delivery.received_at,
    )


def _complete(told: Told, topic: str, found: dict[str, Any]) -> tuple[Told, list[str]]:
    """What the fetched object says, and the words for its state."""
    currency = (_text(found, "currency_id") or _text(found, "currency") or "").upper()
    _, amount_field, payment_field = _FETCHED[topic]
    payment_id = _text(found, payment_field) if _text(found, "resource") != "order" else None
    mode, amount = found.get("live_mode"), found.get(amount_field)
    told = replace(
        told,
        livemode=mode if isinstance(mode, bool) else None,
        external_id=payment_id,
        reference=_text(found, "external_reference") or _text(found, "metadata.session_id"),
        subject=payment_id,
        total=True,  # told as it stands, again and again
    )
    if amount is not None or topic in {"payment", "order"}:
        told = replace(told, amount=payload.from_major(amount, currency), currency=currency)
    state = f"{topic} {found.get('status')}"
    refunded = found.get("transaction_amount_refunded") or 0
    if not refunded or state not in {"payment approved", "payment refunded"}:
        return told, [f"{state} {found.get('status_detail')}", state, topic]
    done = [one for one in items(found, "refunds") if _text(one, "status") in {None, "approved"}]
    if state == "payment refunded" or not done:
        return replace(told, amount=payload.from_major(refunded, currency)), ["payment refunded"]
    # All times of an answer have one offset: their texts sort as they do.
    newest = max(reversed(done), key=lambda one: _text(one, "date_created") or "")
    amount = payload.from_major(payload.dig(newest, "amount"), currency)
    own_id = payload.need({"refunds": _text(newest, "id")}, "refunds")
    return replace(told, subject=own_id, total=False, amount=amount), ["payment refunded"]


adapter = MercadoPago()
