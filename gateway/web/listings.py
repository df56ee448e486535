"""Many sessions at once: by id, by cart, or by status and time, page by page."""

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from gateway.domain.errors import InvalidInput
from gateway.domain.events import SessionStatus
from gateway.domain.sessions import PaymentSession
from gateway.store.listings import Place
from gateway.store.tokens import Scope
from gateway.web import answers, schemas, views
from gateway.web.auth import Authenticator
from gateway.web.services import Services


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("listings", __name__, description="Many sessions at once")

    @routes.route("/sessions", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.arguments(schemas.Filter, location="query", unknown=RAISE)
    @routes.response(200, answers.SessionPage)
    def find(wanted: dict[str, Any]) -> dict[str, Any]:
        """Sessions by `ids`, by `cart_id`, or by status, provider and time of their last change."""
        cursor = None
        if "ids" in wanted:
            found = _by_ids(services, wanted["ids"])
        elif "cart_id" in wanted:
            ids = services.runtime.carts.sessions_of(wanted["cart_id"])
            found = [s for s in services.runtime.sessions.get_many(ids) if s is not None]
        else:
            found, cursor = _page(services, wanted)
        present = [session for session in found if session.deleted_at is None]
        return {"sessions": views.seen(services.runtime, present), "next_cursor": cursor}

    return routes


def _by_ids(services: Services, text: str) -> list[PaymentSession]:
    ids = [part.strip() for part in text.split(",") if part.strip()]
    if len(ids) > schemas.MAX_PAGE:
        raise InvalidInput("ids", f"at most {schemas.MAX_PAGE} at once")
    return [s for s in services.runtime.sessions.get_many(ids) if s is not None]


def _page(services: Services, wanted: dict[str, Any]) -> tuple[list[PaymentSession], str | None]:
    """A page of the lists, and where the next one begins."""
    provider, status = wanted.get("provider_id"), wanted.get("status")
    after = Place.of(wanted["cursor"]) if "cursor" in wanted else None
    limit = wanted["limit"]
    places = services.runtime.listings.page(
        [provider] if provider else sorted(services.settings.instances),
        [status] if status else list(SessionStatus),
        wanted.get("updated_since"),
        after,
        limit,
    )
    found = services.runtime.sessions.get_many([place.session_id for place in places])
    # A list may be a moment behind its records: what no longer fits is left out.
    fitting = [s for s in found if s is not None and status in (None, s.status)]
    cursor = places[-1].cursor if len(places) == limit else None
    return fitting, cursor
