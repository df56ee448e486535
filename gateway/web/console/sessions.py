"""The sessions pages: search, and one session with its timeline as a picture."""

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway.domain.errors import NotFound
from gateway.domain.history import Decision
from gateway.domain.payments import Subject
from gateway.domain.sessions import QUARANTINED, PaymentSession, session_id_of
from gateway.store.sessions import SESSION_ID, Lookup
from gateway.web.console.timeline import picture
from gateway.web.services import Services


def add(routes: Blueprint, services: Services) -> None:
    runtime = services.runtime

    @routes.get("/sessions")
    def sessions() -> str | Response:
        """Finds sessions by any name that a person may have for one."""
        text = request.args.get("q", "").strip()
        found = _search(services, text) if text else []
        if len(found) == 1:
            return redirect(url_for("console.session", session_id=found[0].id))
        return render_template("console/sessions.html", found=found, text=text)

    @routes.get("/sessions/<session_id>")
    def session(session_id: str) -> str:
        loaded = None
        if SESSION_ID.fullmatch(session_id):
            loaded = runtime.sessions.load([(session_id, ())])[0]
        if loaded is None:
            raise NotFound(f"There is no session {session_id}.")
        record, history = loaded.record, runtime.sessions.history(session_id)
        in_cart = _of_cart(services, record.session.cart_id)
        return render_template(
            "console/session.html",
            session=record.session,
            payment=record.payment,
            subjects=[(s.value, record.payment.about(s)) for s in Subject],
            picture=picture(record, history),
            open_claims=open_claims(history),
            in_cart=[one for one in in_cart if one.id != session_id],
        )


def open_claims(history: Sequence[Decision]) -> list[Decision]:
    """The claims in quarantine that nobody has answered."""
    told = {decision.event_id for decision in history}
    return [
        one
        for one in history
        if one.outcome in QUARANTINED
        and told.isdisjoint(f"quarantine.{answer}:{one.key}" for answer in ("accepted", "refused"))
    ]


def _search(services: Services, text: str) -> list[PaymentSession]:
    """By session id, payment id, cart, or what a provider calls the payment."""
    runtime = services.runtime
    named = [text, session_id_of(text)]
    ids = [one for one in named if SESSION_ID.fullmatch(one)]
    lookups = [Lookup(name, text, None) for name in sorted(runtime.instances)]
    ids += [found.session_id for found in runtime.sessions.find(lookups) if found]
    ids += runtime.carts.sessions_of(text)
    return [s for s in runtime.sessions.get_many(list(dict.fromkeys(ids))) if s is not None]


def _of_cart(services: Services, cart_id: str | None) -> list[PaymentSession]:
    if cart_id is None:
        return []
    ids = services.runtime.carts.sessions_of(cart_id)
    return [s for s in services.runtime.sessions.get_many(ids) if s is not None]
