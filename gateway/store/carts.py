"""Carts: which session holds a cart's place for a provider, and which one is selected.

Both rules, one session a cart and provider and one selected a cart, are kept by single-key steps
on the cart's own hash; `is_selected` is derived from it.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.sessions import PaymentSession
from gateway.store import keys
from gateway.store.connection import call, executed, guarded
from gateway.store.sessions import Sessions
from gateway.store.times import from_micros, to_micros

# Whoever claims a place creates its session at once; a claim without one is that of a dead process.
CLAIM_LASTS = timedelta(seconds=60)


class Carts:
    """Places and selections of carts. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, sessions: Sessions) -> None:
        self._client = client
        self._sessions = sessions

    def claim(self, session: PaymentSession, now: datetime, replaces: str | None = None) -> None:
        """Takes the place of a new session in its cart, if it has one.

        Raises Conflict if another session holds it, other than the one that it replaces.
        """
        if session.cart_id is None:
            return
        holder = self._claim(session, now, stale="")
        if holder and self._may_take_over(holder, now, replaces):
            holder = self._claim(session, now, stale=holder)
        if holder:
            raise Conflict(
                f"Cart {session.cart_id} has the session {_id(holder)} with "
                f"{session.provider_id} already: use, refresh or delete that one."
            )

    def leave(self, session: PaymentSession) -> None:
        """Gives the place of an ended session back."""
        if session.cart_id is not None:
            place = [_place(session), session.id]
            call(self._client, "leave_place", [keys.cart(session.cart_id)], place)

    def select(self, session: PaymentSession) -> None:
        """Selects a session as its cart's only one. Raises Conflict if it has no place there."""
        if session.cart_id is None:
            raise Conflict("Only a session with a cart can be selected.")
        where, told = [keys.cart(session.cart_id)], [_place(session), session.id, keys.CHANGES]
        if not call(self._client, "select_place", where, told):
            raise Conflict(f"The session holds no place in cart {session.cart_id} any more.")

    def selected(self, cart_ids: Sequence[str]) -> list[str | None]:
        """The selected session of each cart, in one round trip."""
        if not cart_ids:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for cart_id in cart_ids:
            pipeline.hget(keys.cart(cart_id), "selected")
        return [found.decode() if found else None for found in executed(pipeline)]

    def sessions_of(self, cart_id: str) -> list[str]:
        """Ids of the sessions that hold the cart's places."""
        places: Any = guarded(self._client.hgetall, keys.cart(cart_id))
        return sorted(
            _id(claim.decode()) for name, claim in places.items() if name.startswith(b"place:")
        )

    def keep_snapshot(self, session_id: str, cart: dict[str, Any]) -> None:
        """Keeps the cart's details as they were given with a session."""
        guarded(self._client.set, keys.cart_snapshot(session_id), json.dumps(cart))

    def forget_snapshot(self, session_id: str) -> None:
        guarded(self._client.delete, keys.cart_snapshot(session_id))

    def snapshot(self, session_id: str) -> dict[str, Any] | None:
        raw: Any = guarded(self._client.get, keys.cart_snapshot(session_id))
        found: dict[str, Any] | None = json.loads(raw) if raw else None
        return found

    def _claim(self, session: PaymentSession, now: datetime, stale: str) -> str:
        claim = f"{session.id} {to_micros(now)}"
        told = [_place(session), session.id, claim, stale]
        holder: Any = call(self._client, "claim_place", [keys.cart(session.cart_id or "")], told)
        return str(holder.decode())

    def _may_take_over(self, holder: str, now: datetime, replaces: str | None) -> bool:
        if _id(holder) == replaces:
            return True
        claimed_at = from_micros(int(holder.partition(" ")[2]))
        try:
            return self._sessions.get(_id(holder)).is_gone
        except NotFound:
            return now - claimed_at > CLAIM_LASTS


def _place(session: PaymentSession) -> str:
    return f"place:{session.provider_id}"


def _id(claim: str) -> str:
    return claim.partition(" ")[0]
