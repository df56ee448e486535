"""Creating sessions: what must be claimed, in which order, and what waited for them."""

import json
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Any

from flask import request
from ulid import ULID

from gateway.domain.actions import Actor, supersede
from gateway.domain.errors import Conflict, InvalidInput, NotFound
from gateway.domain.history import session_created
from gateway.domain.sessions import PaymentSession, Record, new_payment
from gateway.web.services import Services
from jobs.acts import act
from jobs.parking import make_findable

_MAX_KEY = 255


def create(services: Services, values: dict[str, Any], actor: Actor) -> PaymentSession:
    """A new session of validated values, or the one that was created under the same key.

    Raises InvalidInput for an unconfigured provider or a key that was used for something else,
    Conflict if the id or the cart's place is taken.
    """
    session = _new_session(services, values, actor)
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        session = replace(session, id=_id_under(services, actor.name, key, values, session))
        # If it is not there, whoever claimed the key died before creating it: go on in its place.
        with suppress(NotFound):
            there = services.runtime.sessions.get(session.id)
            make_findable(services.runtime, there)
            return there
    _refuse_taken(services, session.id)
    _write(services, session, values.get("cart"), actor)
    return session


def refresh(
    services: Services, old_id: str, values: dict[str, Any], actor: Actor
) -> PaymentSession:
    """A fresh session in the place of an open one, whose late webhooks stay with the old id.

    Raises NotFound, InvalidInput, and Conflict for what cannot be refreshed or an id that is taken.
    """
    old = services.runtime.sessions.get(old_id)
    new_id = values.get("id") or old.superseded_by or _new_id(actor)
    _refuse_taken(services, new_id)
    # The old one first: never are both open, to be paid twice. Who dies before the new one is there
    # leaves its id behind, and a repetition goes on with that.
    if old.superseded_by != new_id:
        act(services.runtime, old_id, lambda record: supersede(record, actor, new_id))
    session = _fresh(
        actor,
        id=new_id,
        provider_id=old.provider_id,
        amount=values.get("amount", old.amount),
        currency_code=old.currency_code,
        cart_id=old.cart_id,
        data=values["data"],
        expires_at=old.expires_at,
    )
    cart = services.runtime.carts.snapshot(old_id)
    _write(services, session, cart, actor, replaces=old_id)
    return session


def _new_id(actor: Actor) -> str:
    return f"ps_{ULID.from_datetime(actor.now)}"


def _new_session(services: Services, values: dict[str, Any], actor: Actor) -> PaymentSession:
    if values["provider_id"] not in services.settings.instances:
        configured = ", ".join(sorted(services.settings.instances)) or "none"
        raise InvalidInput("provider_id", f"is not configured here; configured: {configured}")
    return _fresh(
        actor,
        id=values.get("id") or _new_id(actor),
        provider_id=values["provider_id"],
        amount=values["amount"],
        currency_code=values["currency_code"],
        cart_id=values["cart_id"],
        data=values["data"],
        expires_at=values["expires_at"],
    )


def _fresh(actor: Actor, **told: Any) -> PaymentSession:
    """A session at its very beginning; data mean that the provider knows of it."""
    return PaymentSession(
        **told,
        is_initiated=bool(told["data"]),
        idempotency_key=secrets.token_urlsafe(24),
        created_at=actor.now,
        updated_at=actor.now,
        version=1,
    )


def _id_under(
    services: Services, owner: str, key: str, values: dict[str, Any], session: PaymentSession
) -> str:
    """The id of the session that the first call under an idempotency key was to create."""
    if not 0 < len(key) <= _MAX_KEY:
        raise InvalidInput("Idempotency-Key", f"must have 1 to {_MAX_KEY} characters")
    asked = json.dumps(values, sort_keys=True, default=str).encode()
    first = services.idempotency.claim(owner, key, asked, session.id)
    if first is None:
        raise InvalidInput("Idempotency-Key", "was used for another request within the last day")
    return first


def _write(
    services: Services,
    session: PaymentSession,
    cart: dict[str, Any] | None,
    actor: Actor,
    replaces: str | None = None,
) -> None:
    runtime = services.runtime
    runtime.carts.claim(session, actor.now, replaces)
    if cart is not None:
        runtime.carts.keep_snapshot(session.id, cart)
    if session.expires_at is not None:
        runtime.listings.expect_expiry(session.id, session.expires_at)
    decision = session_created(session, actor.name)
    runtime.sessions.expect_index(session.id, actor.now)
    runtime.sessions.create(Record(session, new_payment(session)), decision)
    make_findable(runtime, session)


def _refuse_taken(services: Services, session_id: str) -> None:
    runtime = services.runtime
    if runtime.sessions.exists(session_id):
        # Whoever created it may have died before it could be found.
        make_findable(runtime, runtime.sessions.get(session_id))
        raise Conflict(f"There is a session {session_id} already.")
