"""Nuvei payment DMNs: https://docs.nuvei.com/documentation/integration/webhooks/payment-dmns/."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Meaning, Means, Told, event
from providers.schemes.form_checksum import FormChecksum, sent_fields

_CHECKSUM = "advanceResponseChecksum"
_SIGNED = "totalAmount currency responseTimeStamp PPP_TransactionID Status productId".split()
# A transactionType and its outcome.
_MEANINGS = {
    "Auth APPROVED": Means.AUTHORIZED,
    # Captures by itself: no Auth comes before it.
    "Sale APPROVED": Means.PAID,
    "Auth DECLINED, Sale DECLINED": Means.FAILED,
    "Auth PENDING, Sale PENDING, Settle PENDING": Means.PENDING,
    "Settle APPROVED": Means.CAPTURED,
    "Settle DECLINED": Means.CAPTURE_FAILED,
    "Void APPROVED": Means.RELEASED,
    "Credit APPROVED, Refund APPROVED": Means.REFUNDED,
    "Credit DECLINED, Refund DECLINED": Means.REFUND_FAILED,
}
_OUTCOMES = {"SUCCESS": "APPROVED", "ERROR": "DECLINED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NuveiConfig:
    merchant_secret_keys: Annotated[
        Secrets, "Control Panel > Settings > My Integration Settings > Merchant Secret Key"
    ]
    hash_algorithm: Annotated[
        Literal["sha256", "md5"], "the same page; md5 on old merchant sites"
    ] = "sha256"
    merchant_id: Annotated[str, "the same page; empty: the DMNs of any merchant id"] = ""
    merchant_site_id: Annotated[str, "the same page; empty: the DMNs of any site"] = ""


class Dmn(payload.Body):
    """What is used of a DMN, without the fields that come empty."""

    payment_page_id = payload.Id(required=True, data_key="PPP_TransactionID")
    own_id, first_id, kind, status, page_status, type, time, amount, reference, other_reference = (
        payload.Text(load_default="", data_key=name)
        for name in "TransactionID relatedTransactionId transactionType Status ppp_status type"
        " responseTimeStamp totalAmount clientUniqueId merchant_unique_id".split()
    )
    currency = payload.Currency(load_default=None)
    merchant_id, merchant_site_id = (payload.Text(load_default="") for _ in range(2))


_DMN = Dmn()


class Nuvei(Adapter[NuveiConfig]):
    id = "nuvei"
    Config = NuveiConfig
    methods = ("POST", "GET")
    scheme = FormChecksum[NuveiConfig](
        _CHECKSUM,
        lambda config: config.merchant_secret_keys,
        # Of the values exactly as they were sent: `42.50` is not `42.5`.
        signed=lambda form: "".join(_with_status(form).get(name, "") for name in _SIGNED),
        algorithm=lambda config: config.hash_algorithm,
    )
    unproven = "the kind of transaction and the references; status, amount and currency are signed"
    meanings = _MEANINGS
    ignored = ("CARD_TOKENIZATION", "Void *", "Credit *", "Refund *", "InitAuth3D *", "Auth3D *")

    def key(self, delivery: Delivery, config: NuveiConfig) -> bytes:
        """The checksum: whoever sends one again with other unsigned fields sends nothing new."""
        try:
            given = sent_fields(delivery).get(_CHECKSUM, "").strip()
        except Rejected:
            given = ""
        return given.encode("utf-8", "surrogateescape") or delivery.body

    def read(self, delivery: Delivery, config: NuveiConfig) -> Iterable[PaymentEvent]:
        form = _with_status(sent_fields(delivery))
        found = _DMN.read({name: value for name, value in form.items() if value})
        told = Told(
            event_id=":".join(found[n] for n in ("payment_page_id", "own_id", "kind", "status")),
            type=found["kind"] or found["type"] or "DMN",
            occurred_at=_time(found["time"]) if found["time"] else delivery.received_at,
        )
        for name in ("merchant_id", "merchant_site_id"):
            if getattr(config, name) not in ("", found[name]):
                told = replace(told, detail=f"of a {name} that is not configured")
                return [event(delivery, told, Means.IGNORED)]
        word = f"{found['kind']} {_outcome(found)}"
        words = ["CARD_TOKENIZATION" if found["type"] == "CARD_TOKENIZATION" else word]
        meaning = self.meaning(*words)
        if meaning not in (None, Means.IGNORED):
            told = _complete(told, found, meaning)
        return [event(delivery, told, meaning)]


def _with_status(form: Mapping[str, str]) -> dict[str, str]:
    """The form with `Status` by that name: some flows write it small."""
    return {"Status": form.get("status", ""), **form}


def _outcome(found: dict[str, Any]) -> str:
    status = found["status"].upper()
    status = _OUTCOMES.get(status, status)
    page_status = found["page_status"].upper()
    if page_status == "FAIL":
        return "DECLINED"
    # Neither is signed, so both can only make less of what the signed status says.
    return "PENDING" if page_status == "PENDING" and status == "APPROVED" else status


def _complete(told: Told, found: dict[str, Any], meaning: Meaning) -> Told:
    own_id, amount, currency = found["own_id"], found["amount"], found["currency"]
    if meaning.needs_amount:
        payload.require(found, "amount", "currency")
    # An attempt may end before it has a transaction; whatever is told of money has one.
    if meaning.needs_amount or meaning.payment_event:
        payload.require(found, "own_id")
    return replace(
        told,
        # What follows an authorization has an id of its own.
        external_id=own_id if found["kind"] in ("Auth", "Sale") else found["first_id"],
        reference=found["reference"] or found["other_reference"],
        subject=own_id,
        amount=payload.from_major(amount, currency) if amount and currency else None,
        currency=currency,
    )


def _time(text: str) -> datetime:
    """`2026-11-18.11:06:39`, without a zone: UTC. Raises Rejected(MALFORMED)."""
    try:
        return datetime.strptime(text, "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Rejected(Cause.MALFORMED, "responseTimeStamp: must be a time") from None


adapter = Nuvei()
