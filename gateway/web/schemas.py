"""What the private API takes: marshmallow schemas, which are its documentation too."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from gateway.domain.events import SessionStatus
from gateway.domain.money import MAX_AMOUNT
from gateway.store.keys import DeliveryState
from gateway.store.sessions import SESSION_ID

# `$` alone would let a trailing line feed pass.
_END = r"$(?!\n)"
MAX_WAIT = 30
MAX_PAGE = 100


class Amount(fields.Integer):
    """Minor units. Texts, floats and booleans are refused: money is not guessed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return value


def _amount(**kwargs: Any) -> Amount:
    told = {"description": "Minor units of the currency.", "example": 4250}
    return Amount(validate=validate.Range(0, MAX_AMOUNT), metadata=told, **kwargs)


def _id(description: str, **kwargs: Any) -> fields.String:
    pattern = validate.Regexp(f"^{SESSION_ID.pattern}{_END}")
    return fields.String(validate=pattern, metadata={"description": description}, **kwargs)


def _currency() -> fields.String:
    told = {"description": "ISO 4217, in upper case.", "example": "EUR"}
    return fields.String(
        required=True, validate=validate.Regexp(f"^[A-Z]{{3}}{_END}"), metadata=told
    )


def _note() -> fields.String:
    told = {"description": "Why; it is kept in the history.", "example": "called the customer"}
    return fields.String(required=True, validate=validate.Length(1, 500), metadata=told)


class Given(Schema):
    """What a caller sends: a field that we do not know is a mistake, and named."""

    class Meta:
        unknown = RAISE


class NewSession(Given):
    """A session to create."""

    id = _id("Kept if given; else `ps_` and a ULID.")
    provider_id = fields.String(
        required=True, validate=validate.Length(1, 64), metadata={"example": "stripe"}
    )
    amount = _amount(required=True)
    currency_code = _currency()
    cart_id = fields.String(allow_none=True, load_default=None, validate=validate.Length(1, 128))
    cart = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        load_default=None,
        metadata={"description": "Details of the cart, given back with `?expand=cart`."},
    )
    data = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata={"description": "What the provider needs; `id` is its id of the payment."},
    )
    expires_at = fields.AwareDateTime(
        allow_none=True,
        load_default=None,
        metadata={"description": "Past it an open session is canceled."},
    )


class SessionChanges(Given):
    """What to set; what is left out stays."""

    amount = _amount()
    data = fields.Dict(keys=fields.String())
    is_initiated = fields.Boolean(truthy={True}, falsy={False})
    expires_at = fields.AwareDateTime()


class Refreshing(Given):
    """What differs in the session that takes this one's place."""

    id = _id("The new session's id.")
    amount = _amount()
    data = fields.Dict(keys=fields.String(), load_default=dict)


class Completing(Given):
    """The key that completes a session."""

    idempotency_key = fields.String(required=True, validate=validate.Length(1, 255))


class Answering(Given):
    """An operator's answer to a claim in quarantine."""

    source = fields.String(required=True, validate=validate.Length(1, 64))
    event_id = fields.String(required=True, validate=validate.Length(1, 500))
    note = _note()


class ManualEvent(Given):
    """What an operator saw of a bank transfer or of cash."""

    type = fields.String(
        required=True, validate=validate.OneOf(["authorized", "captured", "canceled", "refunded"])
    )
    amount = _amount()
    id = fields.String(
        validate=validate.Length(1, 100),
        metadata={"description": "The same id told twice counts once, as a bank's own reference."},
    )
    occurred_at = fields.AwareDateTime(metadata={"description": "When; by default now."})
    note = _note()


class Poll(Schema):
    """How to get a session."""

    wait = fields.Float(
        load_default=0.0,
        validate=validate.Range(0, MAX_WAIT),
        metadata={
            "description": "Seconds to wait for a change, with the ETag that is known in"
            " `If-None-Match`."
        },
    )
    expand = fields.String(
        load_default=None,
        validate=validate.OneOf(["cart"]),
        metadata={"description": "`cart` fills in the cart's details."},
    )


class Filter(Schema):
    """Which sessions to list."""

    ids = fields.String(metadata={"description": f"Up to {MAX_PAGE} ids, with commas between."})
    cart_id = fields.String(validate=validate.Length(1, 128))
    status = fields.Enum(SessionStatus, by_value=True)
    provider_id = fields.String(validate=validate.Length(1, 64))
    updated_since = fields.AwareDateTime(
        metadata={"description": "Only those that changed at or after this time."}
    )
    cursor = fields.String(metadata={"description": "The `next_cursor` of the page before."})
    limit = fields.Integer(load_default=50, validate=validate.Range(1, MAX_PAGE))


class NewCollection(Given):
    """A collection to create."""

    amount = _amount(required=True)
    currency_code = _currency()
    session_ids = fields.List(_id("A session's id."), load_default=list)
    description = fields.String(
        allow_none=True, load_default=None, validate=validate.Length(max=1000)
    )
    metadata = fields.Dict(keys=fields.String(), load_default=dict)


class Adding(Given):
    """Sessions that are to pay the collection's amount too."""

    session_ids = fields.List(
        _id("A session's id."), required=True, validate=validate.Length(1, MAX_PAGE)
    )


class _Which(Given):
    """Which deliveries are meant: all that fit every filter."""

    state = fields.Enum(DeliveryState, by_value=True, load_default=DeliveryState.DEAD)
    provider_id = fields.String(validate=validate.Length(1, 64))
    session_id = _id("Those that had an effect on this session.")
    cause = fields.String(
        validate=validate.Length(1, 200), metadata={"description": "A text in their notes."}
    )
    type = fields.String(
        validate=validate.Length(1, 200), metadata={"description": "Of one of their events."}
    )
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


class DeliveryFilter(_Which):
    """A page of deliveries."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, MAX_PAGE))
    cursor = fields.String(validate=validate.Length(1, 80))


class Replay(_Which):
    """Which deliveries to work on again."""

    dry_run = fields.Boolean(
        load_default=False, metadata={"description": "Only tell what that would do."}
    )


class RejectionFilter(Given):
    """A page of the refused requests of one provider."""

    provider_id = fields.String(required=True, validate=validate.Length(1, 64))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, MAX_PAGE))
    cursor = fields.String(validate=validate.Regexp(f"^[0-9]{{1,20}}-[0-9]{{1,20}}{_END}"))
