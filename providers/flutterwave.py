"""Flutterwave, v3 and v4: https://developer.flutterwave.com/docs/webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from marshmallow import validate

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload, shapes
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, ApiRequest, Reply, Settlement
from providers.meanings import Means, Told, by_word, event, meaning_of
from providers.schemes.api_answer import found_object
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.hmac_or_token import HmacOrToken
from providers.schemes.parts import as_base64
from providers.schemes.static_token import StaticToken

_TRANSACTION = "https://api.flutterwave.com/v3/transactions/{}/verify"
# A type, or a type and the status: `charge.completed` says nothing of success.
_MEANINGS = by_word(
    {
        "charge.completed successful, charge.completed succeeded": Means.PAID,
        "charge.completed failed, charge.failed": Means.FAILED,
        "charge.completed pending": Means.PENDING,
        "refund completed, refund.completed": Means.REFUNDED,
        "refund failed, refund.failed": Means.REFUND_FAILED,
        "chargeback.created": Means.DISPUTED,
        "chargeback.updated won": Means.DISPUTE_WON,
        "chargeback.updated lost": Means.DISPUTE_LOST,
    }
)
# Where charges hold what, and where refunds and chargebacks do, in the words of all versions.
_BOTH = {"reference": "meta.session_id|meta_data.session_id|tx_ref|txRef|reference"}
_CHARGE = _BOTH | {"payment": "id", "at": "created_at|createdAt"}
_PART = _BOTH | {"payment": "charge_id|charge|TransactionId", "at": "updatedAt|created_at"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlutterwaveConfig:
    secret_hashes: Annotated[Secrets, "Dashboard > Settings > Webhooks > Secret hash"]
    secret_key: Annotated[
        Secret | None,
        "Dashboard > Settings > API keys > Secret key; with it, v3 webhooks (whose hash covers"
        " nothing of the body) are believed only after a look at the transaction",
    ] = None
    refund_currency: Annotated[
        str | None,
        "the currency of v3's refunds, which name none; not needed with a secret_key",
        validate.Regexp(r"[A-Z]{3}\Z"),
    ] = None


class Facts(payload.Body):
    id = payload.NumberedId(required=True)
    payment, reference = (payload.NumberedId(allow_none=True) for _ in range(2))
    at, currency = payload.IsoTime(allow_none=True), payload.Currency(allow_none=True)


_FACTS = Facts()


class Flutterwave(Adapter[FlutterwaveConfig]):
    id, key_path = "flutterwave", "webhook_id"
    Config = FlutterwaveConfig
    scheme = HmacOrToken[FlutterwaveConfig](
        BodyHmac("flutterwave-signature", lambda config: config.secret_hashes, encode=as_base64),
        StaticToken("verif-hash", lambda config: config.secret_hashes),
        is_signed=lambda body: "webhook_id" in payload.peek(body),
        asks_back=lambda config: config.secret_key is not None,
    )
    refusal_status = 401
    secret_headers = ("verif-hash",)
    unproven = "v3's bodies; with a `secret_key` the transaction is fetched back"
    meanings = _MEANINGS
    ignored = (
        *("refund processing", "refund pending*", "chargeback.updated", "Transfer", "transfer.*"),
        *"subscription.cancelled bvn.completed singlebillpayment.status test_assess".split(),
        "virtual_account.funded",
    )

    def handshake(self, delivery: Delivery, config: FlutterwaveConfig) -> Reply | None:
        # The dashboard's probe, which wants nothing but a 200.
        is_probe = payload.text_at(delivery.body, "event") == "test_assess"
        return self.reply if is_probe and config.secret_hashes else None

    def read(self, delivery: Delivery, config: FlutterwaveConfig) -> Iterable[PaymentEvent]:
        return [_event(delivery, payload.json_object(delivery.body), config.refund_currency)]

    def settle(self, delivery: Delivery, config: FlutterwaveConfig) -> Settlement:
        document = payload.json_object(delivery.body)
        told = _event(delivery, document, None)
        if config.secret_key is None or not told.concerns_payment:
            return [told]
        asked = shapes.matching({"id": told.external_id}, "id", "[0-9]{1,20}")
        bearer = ("Authorization", f"Bearer {config.secret_key.value}")
        answer = found_object((yield ApiRequest("GET", _TRANSACTION.format(asked), (bearer,))))
        # What is not found is told with a 200, too.
        if answer.get("status") != "success":
            raise Rejected(Cause.UNKNOWN_PAYMENT, "the API does not know the transaction")
        if payload.text_under(answer, "data.id") != asked:
            raise Rejected(Cause.UNVERIFIABLE, "the API answered with another transaction")
        if told.session_status is None:
            return [_event(delivery, document, payload.text_under(answer, "data.currency"))]
        data = answer["data"] | {"txRef": answer["data"].get("tx_ref")}
        return [_event(delivery, {"event": told.type, "data": data}, None)]


def _event(delivery: Delivery, document: dict[str, Any], currency: str | None) -> PaymentEvent:
    """What a body tells; `currency` is that of v3's refunds, which name none."""
    data, webhook_id = document.get("data"), payload.text_under(document, "webhook_id")
    kind = shapes.text(document, "type" if webhook_id else "event")
    if not isinstance(data, dict):
        # v3's flat bodies: refunds have no type, and the dot is part of the others' key.
        data, flat = document, document.get("event.type")
        kind = "refund" if "AmountRefunded" in data else shapes.text({"type": flat}, "type")
    if kind is None:
        raise Rejected(Cause.MALFORMED, "event or type: must be there, beside data")
    name = "charge.completed" if "txRef" in data else kind
    status = payload.text_under(data, "status")
    meaning = meaning_of([f"{name} {status}", name], _MEANINGS, Flutterwave.ignored)
    built = f"{kind}:{payload.text_under(data, 'id')}:{status}"
    told = Told(event_id=webhook_id or built, type=kind, occurred_at=delivery.received_at)
    if not meaning:
        return event(delivery, told, meaning)
    paths = _CHARGE if name.startswith("charge.") else _PART
    data = data | {"meta_data": document.get("meta_data")}
    found = _FACTS.read(data | {its: shapes.first(data, path) for its, path in paths.items()})
    payload.need(found, "payment", "reference")
    if name != "refund" or found.get("currency"):
        currency = payload.need(found, "currency")
    amount = payload.need(data, "amount_refunded", "AmountRefunded", "amount")
    at = payload.from_millis(document.get("timestamp")) if webhook_id else found.get("at")
    told = replace(
        told,
        occurred_at=at or told.occurred_at,
        external_id=found.get("payment"),
        reference=found.get("reference"),
        subject=found["id"],
        amount=payload.from_major(amount, currency) if currency else None,
        currency=currency,
    )
    return event(delivery, told, meaning)


adapter = Flutterwave()
