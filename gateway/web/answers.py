"""What the private API gives: marshmallow schemas, which are its documentation too."""

from marshmallow import Schema, fields

from gateway.domain.collections import CollectionStatus
from gateway.domain.errors import Cause
from gateway.domain.events import ChangeKind, SessionStatus
from gateway.domain.sessions import Outcome
from gateway.store.keys import DeliveryState


class ManualAccepted(Schema):
    """It is on disk, and will be applied in a moment."""

    delivery_id = fields.String(required=True)


class SessionView(Schema):
    """A PaymentSession, as services see it. Amounts are minor units; times are UTC."""

    id = fields.String(required=True, metadata={"example": "ps_order1001"})
    cart_id = fields.String(required=True, allow_none=True, metadata={"example": "cart_1001"})
    cart = fields.Dict(required=True, allow_none=True, dump_default=None)
    provider_id = fields.String(required=True, metadata={"example": "stripe"})
    is_selected = fields.Boolean(required=True, allow_none=True)
    is_initiated = fields.Boolean(required=True)
    status = fields.Enum(SessionStatus, by_value=True, required=True)
    data = fields.Dict(required=True)
    idempotency_key = fields.String(required=True, metadata={"example": "kX3v…"})
    amount = fields.Integer(required=True, metadata={"example": 4250})
    payment_authorized_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"example": "2026-11-20T14:00:02+00:00"}
    )
    created_at = fields.AwareDateTime(
        required=True, metadata={"example": "2026-11-20T13:59:40+00:00"}
    )
    updated_at = fields.AwareDateTime(
        required=True, metadata={"example": "2026-11-20T14:00:02.120000+00:00"}
    )
    payment_id = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Its Payment, once it was authorized.", "example": "pay_1001"},
    )
    currency_code = fields.String(required=True, metadata={"example": "EUR"})
    authorized_amount = fields.Integer(required=True, allow_none=True, metadata={"example": 4250})
    status_reason = fields.String(
        required=True, metadata={"description": "The event or act that gave the status."}
    )
    needs_void = fields.Boolean(
        required=True,
        metadata={"description": "The provider holds money for a session that we had ended."},
    )
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    completed_at = fields.AwareDateTime(required=True, allow_none=True)
    superseded_by = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The session that took this one's place at a refresh."},
    )
    version = fields.Integer(required=True, metadata={"example": 2})


class SessionPage(Schema):
    """Some sessions; `next_cursor` is null on the last page."""

    sessions = fields.List(fields.Nested(SessionView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DecisionView(Schema):
    """One decision of a session's history."""

    source = fields.String(required=True)
    event_id = fields.String(required=True)
    type = fields.String(required=True)
    outcome = fields.Enum(Outcome, by_value=True, required=True)
    before = fields.Enum(SessionStatus, by_value=True, required=True)
    after = fields.Enum(SessionStatus, by_value=True, required=True)
    occurred_at = fields.AwareDateTime(required=True)
    received_at = fields.AwareDateTime(required=True)
    decided_at = fields.AwareDateTime(required=True)
    delivery_id = fields.String(required=True, allow_none=True)
    change = fields.Enum(ChangeKind, by_value=True, required=True, allow_none=True)
    amount = fields.Integer(required=True, allow_none=True)
    currency = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True)


class HistoryView(Schema):
    """Every decision about a session, in the order in which they were taken."""

    decisions = fields.List(fields.Nested(DecisionView), required=True)


class ChangeView(Schema):
    """The last word on one capture, refund, void or dispute."""

    kind = fields.Enum(ChangeKind, by_value=True, required=True)
    reference = fields.String(required=True)
    running_total = fields.Boolean(required=True)
    amount = fields.Integer(required=True, allow_none=True)
    currency = fields.String(required=True, allow_none=True)
    occurred_at = fields.AwareDateTime(required=True)
    event_id = fields.String(required=True)


class PaymentView(Schema):
    """The Payment that an authorized session was promoted to. Amounts are minor units."""

    id = fields.String(required=True)
    session_id = fields.String(required=True)
    provider_id = fields.String(required=True)
    currency_code = fields.String(required=True)
    amount = fields.Integer(required=True)
    captured_amount = fields.Integer(required=True)
    refunded_amount = fields.Integer(required=True)
    disputed_amount = fields.Integer(required=True)
    authorized_at = fields.AwareDateTime(required=True)
    captured_at = fields.AwareDateTime(required=True, allow_none=True)
    canceled_at = fields.AwareDateTime(required=True, allow_none=True)
    captures = fields.List(fields.Nested(ChangeView), required=True)
    refunds = fields.List(fields.Nested(ChangeView), required=True)
    disputes = fields.List(fields.Nested(ChangeView), required=True)


class CollectionView(Schema):
    """A PaymentCollection; status and authorized amount are computed from its sessions."""

    id = fields.String(required=True)
    status = fields.Enum(CollectionStatus, by_value=True, required=True)
    amount = fields.Integer(required=True)
    authorized_amount = fields.Integer(required=True)
    currency_code = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    metadata = fields.Dict(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)
    canceled_at = fields.AwareDateTime(required=True, allow_none=True)
    payment_sessions = fields.List(fields.Nested(SessionView), required=True)
    version = fields.Integer(required=True)


class Problem(Schema):
    """An error (RFC 9457). `type` is stable; `detail` says what to do."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.Dict()


class DeliveryView(Schema):
    """A delivery that was acknowledged, and what became of it."""

    id = fields.String(required=True)
    provider_id = fields.String(required=True)
    state = fields.Enum(DeliveryState, by_value=True, required=True)
    received_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    secret = fields.String(
        required=True, metadata={"description": "The label of the secret that matched."}
    )
    settled = fields.Boolean(
        required=True, metadata={"description": "False: it is asked back from the provider's API."}
    )
    duplicates = fields.Integer(required=True)
    notes = fields.List(fields.String(), required=True)
    failure = fields.String(required=True)
    asked = fields.String(required=True, metadata={"description": "Who had it tried again."})
    request_id = fields.String(
        required=True,
        metadata={
            "description": "Of the request that brought it; once applied, only logs have it."
        },
    )


class DeliveryPage(Schema):
    """Some deliveries; `next_cursor` is null on the last page."""

    deliveries = fields.List(fields.Nested(DeliveryView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class EffectView(Schema):
    """What one event would do to its session: its status now, and after it."""

    type = fields.String(required=True)
    event_id = fields.String(required=True)
    session_id = fields.String(required=True, allow_none=True)
    outcome = fields.String(required=True)
    change = fields.Enum(ChangeKind, by_value=True, required=True, allow_none=True)
    before = fields.Enum(SessionStatus, by_value=True, required=True, allow_none=True)
    after = fields.Enum(SessionStatus, by_value=True, required=True, allow_none=True)


class PreviewView(Schema):
    """What a replay would do, by today's secrets and adapters."""

    delivery_id = fields.String(required=True)
    verdict = fields.String(required=True)
    reading = fields.String(required=True)
    effects = fields.List(fields.Nested(EffectView), required=True)


class RequestView(Schema):
    """A request as it came, but for its credentials."""

    method = fields.String(required=True)
    path = fields.String(required=True)
    query = fields.String(required=True)
    headers = fields.List(fields.List(fields.String()), required=True)
    body = fields.String(required=True)
    body_encoding = fields.String(required=True, metadata={"example": "utf-8"})
    remote_addr = fields.String(required=True)


class DeliveryDetail(DeliveryView, RequestView, PreviewView):
    """A delivery, whole, with what a replay would do."""


class Replayed(Schema):
    """How many were put back to work; `more`: the filter fits others that were not."""

    replayed = fields.Integer(required=True)
    more = fields.Boolean(required=True)
    previews = fields.List(fields.Nested(PreviewView))


class RejectionView(Schema):
    """A request that was refused, and why."""

    id = fields.String(required=True)
    provider_id = fields.String(required=True)
    cause = fields.Enum(Cause, by_value=True, required=True)
    detail = fields.String(required=True)
    received_at = fields.AwareDateTime(required=True)
    remote_addr = fields.String(required=True)
    digest = fields.String(required=True)
    passed_over = fields.Integer(
        required=True, metadata={"description": "Refused since the one before, not written down."}
    )
    delivery_id = fields.String(
        required=True, allow_none=True, metadata={"description": "What it became, reverified."}
    )
    diagnosis = fields.Dict(required=True)


class RejectionPage(Schema):
    """Some refused requests; `next_cursor` is null on the last page."""

    rejections = fields.List(fields.Nested(RejectionView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class RejectionDetail(RejectionView, RequestView):
    """A refused request, whole."""


class ReverifiedView(Schema):
    """What came of verifying a refused request again."""

    id = fields.String(required=True)
    delivery_id = fields.String(required=True, allow_none=True)
    why = fields.String(required=True)
