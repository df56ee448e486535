"""GoCardless: https://developer.gocardless.com/getting-started/staying-up-to-date-with-webhooks."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from marshmallow import fields

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secret, Secrets
from providers.contract import Adapter, Reply, Settlement
from providers.meanings import Meaning, Means, Told, by_word, event
from providers.payload import dig
from providers.schemes.api_answer import bearer_get, found_object
from providers.schemes.body_hmac import BodyHmac
from providers.shapes import items, matching

_NOT_PAID = Meaning(Means.FAILED.session_status, Means.CAPTURE_FAILED.payment_event)
_ROWS = {
    "payments.created, payments.submitted": Means.PENDING,
    "payments.customer_approval_granted, payments.resubmission_requested": Means.PENDING,
    # A direct debit is never only authorized: confirmed is both in one.
    "payments.confirmed": Means.PAID,
    "payments.failed retried": Means.PENDING,
    "payments.failed": _NOT_PAID,
    "payments.customer_approval_denied": Means.FAILED,
    "payments.cancelled": Means.RELEASED,
    "payments.charged_back": Means.DISPUTED,
    "payments.chargeback_cancelled": Means.DISPUTE_WON,
    "payments.chargeback_settled": Means.DISPUTE_LOST,
    "refunds.paid": Means.REFUNDED,
    "refunds.failed, refunds.funds_returned": Means.REFUND_FAILED,
    "billing_requests.fulfilled": Means.AUTHORIZED,
    "billing_requests.flow_created, billing_requests.flow_visited": Means.PENDING,
    "billing_requests.collect_*, billing_requests.select_institution": Means.PENDING,
    "billing_requests.choose_currency, billing_requests.payer_details_confirmed": Means.PENDING,
    "billing_requests.bank_authorisation_visited": Means.PENDING,
    "billing_requests.bank_authorisation_denied": Means.REQUIRES_MORE,
    "billing_requests.bank_authorisation_failed": Means.REQUIRES_MORE,
    "billing_requests.bank_authorisation_expired": Means.REQUIRES_MORE,
    "billing_requests.cancelled": Means.CANCELED,
    "billing_requests.failed, billing_requests.payer_geo_blocked": Means.FAILED,
}
_MEANINGS = by_word(_ROWS)
_PRICED = {"payments.confirmed": "payments", "refunds.paid": "refunds"}
_VERSION = ("GoCardless-Version", "2015-07-06")
_HOSTS = {"live": "https://api.gocardless.com", "sandbox": "https://api-sandbox.gocardless.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoCardlessConfig:
    webhook_secrets: Annotated[Secrets, "Dashboard > Developers > Webhook endpoints > (its) Secret"]
    access_token: Annotated[
        Secret | None, "to learn amounts, or each refund counts as whole: (same) > Access tokens"
    ] = None
    environment: Annotated[Literal["live", "sandbox"], "of the access token"] = "live"


class Item(payload.Body):
    id, action = payload.Id(required=True), payload.Id(required=True)
    resource_type = payload.Id(required=True)
    created_at = payload.IsoTime(required=True)
    links, details, resource_metadata = (
        fields.Dict(load_default=dict, allow_none=True) for _ in range(3)
    )


class Money(payload.Body):
    amount, currency = payload.MinorUnits(required=True), payload.Currency(required=True)


_ITEM, _MONEY = Item(), Money()


class GoCardless(Adapter[GoCardlessConfig]):
    id = "gocardless"
    Config = GoCardlessConfig
    scheme = BodyHmac[GoCardlessConfig]("Webhook-Signature", lambda config: config.webhook_secrets)
    # Both are what GoCardless asks for.
    reply = Reply(204)
    refusal_status = 498
    meanings = _MEANINGS
    ignored = tuple(
        "payments.paid_out payments.late_failure_settled payments.surcharge_fee_debited"
        " payments.sds_settlement_delayed refunds.created refunds.refund_settled mandates.*"
        " subscriptions.* payouts.* creditors.* exports.* instalment_schedules.*"
        " billing_requests.bank_authorisation_authorised".split()
    )

    def asks(self, delivery: Delivery, config: GoCardlessConfig) -> bool:
        found = items(payload.peek(delivery.body), "events") if config.access_token else []
        kinds = {f"{dig(one, 'resource_type')}.{dig(one, 'action')}" for one in found}
        return not kinds.isdisjoint(_PRICED)

    def read(self, delivery: Delivery, config: GoCardlessConfig) -> list[PaymentEvent]:
        found = payload.json_object(delivery.body).get("events")
        if not isinstance(found, list):
            raise Rejected(Cause.MALFORMED, "events: must be a list")
        events, fault = [], None
        for item in found:
            try:
                events.append(self._event(delivery, item))
            except Rejected as error:
                # Up to 250 events come together: one that cannot be read must not hold up the rest.
                fault = error
        if fault and not events:
            raise fault
        return events

    def settle(self, delivery: Delivery, config: GoCardlessConfig) -> Settlement:
        events = self.read(delivery, config)
        for at, told in enumerate(events):
            if told.payment_change and (kind := _PRICED.get(told.type)):
                own_id = matching({"id": told.payment_change.reference}, "id", "[A-Z0-9]{3,64}")
                url = f"{_HOSTS[config.environment]}/{kind}/{own_id}"
                ask = bearer_get(url, config.access_token)
                answer = yield replace(ask, headers=(*ask.headers, _VERSION))
                events[at] = replace(told, **_MONEY.read(found_object(answer).get(kind)))
        return events

    def _event(self, delivery: Delivery, item: Any) -> PaymentEvent:
        found = _ITEM.read(item)
        word, own = f"{found['resource_type']}.{found['action']}", found["resource_type"][:-1]
        words = [word]
        if dig(found["details"], "will_attempt_retry") is True:
            words.insert(0, f"{word} retried")
        if word.startswith("billing_requests.collect_"):
            words.append("billing_requests.collect_*")
        own_id = payload.text_under(found["links"], own)
        payment_id = payload.text_under(found["links"], "payment") if own == "refund" else own_id
        meaning = self.meaning(*words)
        if meaning and own_id is None:
            raise Rejected(Cause.MALFORMED, f"links.{own}: must be there")
        told = Told(
            event_id=found["id"],
            type=word,
            occurred_at=found["created_at"],
            # A refund may be told without its payment: its own id is all there is then.
            external_id=payment_id or own_id,
            # `metadata` is of the API call that caused the event, not of the resource.
            reference=payload.text_under(found["resource_metadata"], "session_id"),
            subject=own_id,
        )
        return event(delivery, told, meaning)


adapter = GoCardless()
