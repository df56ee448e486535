"""Deliveries and refused requests, for whoever is on call: look, and have them tried again."""

import base64
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from gateway.domain.errors import InvalidInput, NotFound
from gateway.store.deliveries import Spot, StoredDelivery
from gateway.store.journal import Rejection
from gateway.store.tokens import Scope
from gateway.web import answers, schemas
from gateway.web.auth import Authenticator, actor
from gateway.web.services import Services
from jobs import replay as replaying
from jobs.replay import Effect, Preview, Selection
from jobs.reverify import reverify

# A replay by filter is done in a request: who needs more says it again, or uses the command line.
MOST_REPLAYED = 500


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("deliveries", __name__, description="What came, and what became of it")
    runtime = services.runtime

    @routes.route("/deliveries", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.arguments(schemas.DeliveryFilter, location="query", unknown=RAISE)
    @routes.response(200, answers.DeliveryPage)
    def find(wanted: dict[str, Any]) -> dict[str, Any]:
        """Deliveries of a state, those first that got there last."""
        after = Spot.of(wanted["cursor"]) if "cursor" in wanted else None
        found = replaying.find(runtime, _selection(wanted), wanted["limit"], after)
        shown = [_shown(stored) for stored in found.deliveries]
        return {"deliveries": shown, "next_cursor": found.last and found.last.cursor}

    @routes.route("/deliveries/<delivery_id>", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.response(200, answers.DeliveryDetail)
    def show(delivery_id: str) -> dict[str, Any]:
        """One delivery, whole, with what today's adapter reads in it and would do with it."""
        stored = stored_delivery(services, delivery_id)
        return _whole(stored, replaying.preview(runtime, stored))

    @routes.route("/deliveries/<delivery_id>/replay", methods=["POST"])
    @auth.require(Scope.OPERATE)
    @routes.response(202, answers.Replayed)
    def replay_one(delivery_id: str) -> dict[str, Any]:
        """Have a delivery worked on again; what its sessions know already changes nothing."""
        stored = stored_delivery(services, delivery_id)
        return {"replayed": replaying.replay(runtime, [stored.id], actor(services)), "more": False}

    @routes.route("/deliveries/replay", methods=["POST"])
    @auth.require(Scope.OPERATE)
    @routes.arguments(schemas.Replay)
    @routes.response(202, answers.Replayed)
    def replay_many(wanted: dict[str, Any]) -> dict[str, Any]:
        """Have many deliveries worked on again, or see what that would do (`dry_run`)."""
        found = replaying.find(runtime, _selection(wanted), MOST_REPLAYED)
        more = found.last is not None
        if wanted["dry_run"]:
            seen = [_previewed(replaying.preview(runtime, one)) for one in found.deliveries]
            return {"replayed": 0, "more": more, "previews": seen}
        ids = [stored.id for stored in found.deliveries]
        return {"replayed": replaying.replay(runtime, ids, actor(services)), "more": more}

    @routes.route("/rejections", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.arguments(schemas.RejectionFilter, location="query", unknown=RAISE)
    @routes.response(200, answers.RejectionPage)
    def refused(wanted: dict[str, Any]) -> dict[str, Any]:
        """The requests of a provider that were refused, newest first."""
        limit, before = wanted["limit"], wanted.get("cursor")
        found = services.runtime.journal.latest(wanted["provider_id"], limit, before)
        last = found[-1].id if len(found) == limit else None
        return {"rejections": [_rejected(one) for one in found], "next_cursor": last}

    @routes.route("/rejections/<provider_id>/<entry_id>", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.response(200, answers.RejectionDetail)
    def show_refused(provider_id: str, entry_id: str) -> dict[str, Any]:
        """One refused request with its diagnosis."""
        rejection = services.runtime.journal.get(provider_id, entry_id)
        return _rejected(rejection) | _request(rejection.delivery)

    @routes.route("/rejections/<provider_id>/<entry_id>/reverify", methods=["POST"])
    @auth.require(Scope.OPERATE)
    @routes.response(200, answers.ReverifiedView)
    def verify_again(provider_id: str, entry_id: str) -> dict[str, Any]:
        """Verify a refused request again, by today's secrets; if it is genuine, it is applied."""
        services.health().require()
        done = reverify(runtime, runtime.journal.get(provider_id, entry_id))
        return {"id": entry_id, "delivery_id": done.delivery_id, "why": done.why}

    return routes


def _selection(wanted: dict[str, Any]) -> Selection:
    return Selection(
        state=wanted["state"],
        provider_id=wanted.get("provider_id"),
        session_id=wanted.get("session_id"),
        cause=wanted.get("cause"),
        since=wanted.get("since"),
        until=wanted.get("until"),
        type=wanted.get("type"),
    )


def stored_delivery(services: Services, delivery_id: str) -> StoredDelivery:
    """A delivery that is kept. Raises InvalidInput and NotFound."""
    try:
        stored = services.runtime.inbox.load([delivery_id])[0]
    except ValueError:
        raise InvalidInput("delivery_id", "is no id of a delivery") from None
    if stored is None:
        raise NotFound(f"There is no delivery {delivery_id}; they are kept for 35 days.")
    return stored


def _shown(stored: StoredDelivery) -> dict[str, Any]:
    return {
        "id": stored.id,
        "provider_id": stored.delivery.provider_id,
        "state": stored.state,
        "received_at": stored.delivery.received_at,
        "finished_at": stored.finished_at,
        "secret": stored.secret,
        "settled": stored.settled,
        "duplicates": stored.duplicates,
        "notes": stored.notes,
        "failure": stored.failure,
        "asked": stored.asked,
        "request_id": stored.request_id,
    }


def _whole(stored: StoredDelivery, told: Preview) -> dict[str, Any]:
    return _shown(stored) | _request(stored.delivery) | _previewed(told)


def _request(delivery: Any) -> dict[str, Any]:
    """The request as it came, but for its credentials."""
    try:
        body, encoding = delivery.body.decode(), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(delivery.body).decode(), "base64"
    return {
        "method": delivery.method,
        "path": delivery.path,
        "query": delivery.query,
        "headers": [list(pair) for pair in delivery.headers],
        "body": body,
        "body_encoding": encoding,
        "remote_addr": delivery.remote_addr,
    }


def _previewed(told: Preview) -> dict[str, Any]:
    return {
        "delivery_id": told.stored.id,
        "verdict": told.verdict,
        "reading": told.reading,
        "effects": [_effect(effect) for effect in told.effects],
    }


def _effect(effect: Effect) -> dict[str, Any]:
    change = effect.event.payment_change
    return {
        "type": effect.event.type,
        "event_id": effect.event.event_id,
        "session_id": effect.session_id,
        "outcome": effect.outcome,
        "change": change.kind if change else None,
        "before": effect.before,
        "after": effect.after,
    }


def _rejected(rejection: Rejection) -> dict[str, Any]:
    return {
        "id": rejection.id,
        "provider_id": rejection.delivery.provider_id,
        "cause": rejection.cause,
        "detail": rejection.detail,
        "received_at": rejection.delivery.received_at,
        "remote_addr": rejection.delivery.remote_addr,
        "digest": rejection.digest,
        "passed_over": rejection.passed_over,
        "delivery_id": rejection.kept_as,
        "diagnosis": rejection.diagnosis.as_json() if rejection.diagnosis else {},
    }
