"""Payment collections: several sessions that pay one amount together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask_smorest import Blueprint
from ulid import ULID

from gateway.domain.collections import PaymentCollection, authorized_amount, status_of
from gateway.domain.errors import Conflict, InvalidInput
from gateway.domain.sessions import PaymentSession
from gateway.store.tokens import Scope
from gateway.web import answers, schemas, views
from gateway.web.auth import Authenticator
from gateway.web.services import Services


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("collections", __name__, description="Sessions that pay together")

    @routes.route("/collections", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.arguments(schemas.NewCollection)
    @routes.response(201, answers.CollectionView)
    def create(values: dict[str, Any]) -> dict[str, Any]:
        """Create a collection, with or without sessions."""
        now = services.runtime.clock()
        made = PaymentCollection(
            id=f"paycol_{ULID.from_datetime(now)}",
            amount=values["amount"],
            currency_code=values["currency_code"],
            description=values["description"],
            metadata=values["metadata"],
            created_at=now,
            updated_at=now,
        )
        return _put(services, _with(services, made, values["session_ids"]))

    @routes.route("/collections/<collection_id>", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.response(200, answers.CollectionView)
    def get(collection_id: str) -> dict[str, Any]:
        """A collection, with its status computed from its sessions."""
        return _shown(services, services.collections.get(collection_id))

    @routes.route("/collections/<collection_id>/sessions", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.arguments(schemas.Adding)
    @routes.response(200, answers.CollectionView)
    def add(values: dict[str, Any], collection_id: str) -> dict[str, Any]:
        """Add sessions; those that are in it already stay."""
        collection = services.collections.get(collection_id)
        return _put(services, _with(services, collection, values["session_ids"]))

    @routes.route("/collections/<collection_id>/sessions/<session_id>", methods=["DELETE"])
    @auth.require(Scope.WRITE)
    @routes.response(200, answers.CollectionView)
    def remove(collection_id: str, session_id: str) -> dict[str, Any]:
        """Take a session out, unless it was authorized."""
        collection = services.collections.get(collection_id)
        _refuse_canceled(collection)
        if session_id in collection.session_ids:
            session = services.runtime.sessions.get(session_id)
            if session.payment_authorized_at is not None:
                raise Conflict("An authorized session stays in its collection.")
        rest = tuple(known for known in collection.session_ids if known != session_id)
        return _put(services, replace(collection, session_ids=rest))

    @routes.route("/collections/<collection_id>/cancel", methods=["POST"])
    @auth.require(Scope.WRITE)
    @routes.response(200, answers.CollectionView)
    def cancel(collection_id: str) -> dict[str, Any]:
        """Cancel a collection, unless something of it was authorized."""
        collection = services.collections.get(collection_id)
        if authorized_amount(_sessions(services, collection)):
            raise Conflict("Something of this collection was authorized: void or refund it first.")
        now = collection.canceled_at or services.runtime.clock()
        return _put(services, replace(collection, canceled_at=now))

    return routes


def _refuse_canceled(collection: PaymentCollection) -> None:
    if collection.canceled_at is not None:
        raise Conflict("The collection was canceled.")


def _sessions(services: Services, collection: PaymentCollection) -> list[PaymentSession]:
    found = services.runtime.sessions.get_many(collection.session_ids)
    return [session for session in found if session is not None]


def _with(
    services: Services, collection: PaymentCollection, session_ids: Sequence[str]
) -> PaymentCollection:
    """The collection with further sessions. Raises InvalidInput for what cannot be added."""
    _refuse_canceled(collection)
    found = services.runtime.sessions.get_many(session_ids)
    for session_id, session in zip(session_ids, found, strict=True):
        if session is None or session.is_gone:
            raise InvalidInput("session_ids", f"there is no session {session_id}")
        if session.currency_code != collection.currency_code:
            raise InvalidInput("session_ids", f"{session_id} is in {session.currency_code}")
    ids = tuple(dict.fromkeys((*collection.session_ids, *session_ids)))
    if len(ids) > schemas.MAX_PAGE:
        raise InvalidInput("session_ids", f"a collection has at most {schemas.MAX_PAGE} sessions")
    return replace(collection, session_ids=ids)


def _put(services: Services, collection: PaymentCollection) -> dict[str, Any]:
    now = services.runtime.clock()
    written = replace(collection, version=collection.version + 1, updated_at=now)
    services.collections.put(written)
    return _shown(services, written)


def _shown(services: Services, collection: PaymentCollection) -> dict[str, Any]:
    sessions = _sessions(services, collection)
    return {
        "id": collection.id,
        "status": status_of(collection, sessions),
        "amount": collection.amount,
        "authorized_amount": authorized_amount(sessions),
        "currency_code": collection.currency_code,
        "description": collection.description,
        "metadata": collection.metadata,
        "created_at": collection.created_at,
        "updated_at": collection.updated_at,
        "canceled_at": collection.canceled_at,
        "payment_sessions": views.seen(services.runtime, sessions),
        "version": collection.version,
    }
