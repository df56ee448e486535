"""How records are shown: what is derived is filled in, and what a poll may skip is skipped."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import request

from gateway.domain.sessions import PaymentSession
from gateway.store.sessions import Glimpse
from gateway.web.answers import SessionView
from jobs.runtime import Runtime

_SESSION = SessionView()


def seen(runtime: Runtime, sessions: Sequence[PaymentSession]) -> list[PaymentSession]:
    """Sessions with `is_selected` filled in from their carts."""
    carts = list(dict.fromkeys(s.cart_id for s in sessions if s.cart_id is not None))
    selected = set(filter(None, runtime.carts.selected(carts)))
    return [replace(s, is_selected=s.id in selected or None) for s in sessions]


def shown(session: PaymentSession, cart: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON of a seen session."""
    body: dict[str, Any] = _SESSION.dump(session)
    return body | {"cart": cart}


def etag(version: int, *, selected: bool) -> str:
    """The ETag of a session: it changes with the record and with the selection."""
    return f'"{version}{"s" if selected else ""}"'


def etag_of(session: PaymentSession) -> str:
    return etag(session.version, selected=bool(session.is_selected))


def glanced_etag(runtime: Runtime, session_id: str, found: Glimpse) -> str:
    """The ETag of a session, without reading its record."""
    cart_id = found.cart_id
    selected = cart_id is not None and runtime.carts.selected([cart_id]) == [session_id]
    return etag(found.version, selected=selected)


def is_known(tag: str) -> bool:
    """Whether the caller has this version already, by its If-None-Match."""
    return request.if_none_match.contains_weak(tag.strip('"'))
