"""The deliveries pages: what came, also what was refused, what was read in it and what it did."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway.domain.errors import Cause, InvalidInput
from gateway.domain.events import Delivery
from gateway.store.deliveries import Spot
from gateway.store.journal import Rejection
from gateway.store.keys import LISTED, DeliveryState
from gateway.store.tallies import REFUSED
from gateway.web.console.masking import masked
from gateway.web.deliveries import stored_delivery
from gateway.web.services import Services
from jobs import replay
from jobs.replay import Selection
from providers.diagnosis import REDACTED

_PAGE = 25
# Of an instance's refused requests that are looked through for one page.
_LOOKED_AT = 100
_FILTERS = ("state", "provider_id", "session_id", "cause", "type", "since", "until")
_DELIVERY_ID = re.compile(r"dlv_[0-9a-f]{34}")
# Headers that say who paid or prove who sends; what is there in their place is shown anyway.
_SECRET_HEADER = re.compile(r"sig|hmac|hash|auth|token|secret|cookie|mac$|digest", re.IGNORECASE)


def add(routes: Blueprint, services: Services) -> None:
    runtime = services.runtime

    @routes.get("/deliveries")
    def deliveries() -> str | Response:
        wanted = {name: value.strip() for name, value in request.args.items() if value.strip()}
        if _DELIVERY_ID.fullmatch(wanted.get("id", "")):
            return redirect(url_for("console.delivery", delivery_id=wanted["id"]))
        common = {
            "wanted": wanted,
            "providers": sorted(runtime.instances),
            "states": [state.value for state in LISTED],
            "causes": [cause.value for cause in Cause],
        }
        if wanted.get("state") == REFUSED:
            rejections, cursor = _refused(services, wanted)
            older = _older(wanted, cursor)
            page = {"rejections": rejections, "older": older}
            return render_template("console/refused.html", **page, **common)
        after = Spot.of(wanted["cursor"]) if "cursor" in wanted else None
        found = replay.find(runtime, selection(wanted), _PAGE, after)
        older = _older(wanted, found.last.cursor if found.last else None)
        return render_template(
            "console/deliveries.html", deliveries=found.deliveries, older=older, **common
        )

    @routes.get("/deliveries/<delivery_id>")
    def delivery(delivery_id: str) -> str:
        stored = stored_delivery(services, delivery_id)
        return render_template(
            "console/delivery.html",
            stored=stored,
            preview=replay.preview(runtime, stored),
            headers=_headers(stored.delivery),
            body=masked(stored.delivery.body) if stored.has_body else "",
            asked=request.args.get("asked", ""),
        )

    @routes.get("/refused/<provider_id>/<entry_id>")
    def refused(provider_id: str, entry_id: str) -> str:
        rejection = runtime.journal.get(provider_id, entry_id)
        return render_template(
            "console/rejection.html",
            rejection=rejection,
            found=rejection.diagnosis.as_json() if rejection.diagnosis else {},
            headers=_headers(rejection.delivery),
            body=masked(rejection.delivery.body),
            why=request.args.get("why", ""),
        )


def selection(wanted: Mapping[str, str]) -> Selection:
    """The filter of the page's URL. Raises InvalidInput."""
    return Selection(
        state=_state(wanted.get("state")),
        provider_id=wanted.get("provider_id"),
        session_id=wanted.get("session_id"),
        cause=wanted.get("cause"),
        type=wanted.get("type"),
        since=_time(wanted, "since"),
        until=_time(wanted, "until"),
    )


def _state(name: str | None) -> DeliveryState | None:
    try:
        return DeliveryState(name) if name else None
    except ValueError:
        raise InvalidInput("state", "is none that a delivery can be in") from None


def _time(wanted: Mapping[str, str], name: str) -> datetime | None:
    """A browser's own input gives a time without a zone; all times of the console are UTC."""
    if name not in wanted:
        return None
    try:
        at = datetime.fromisoformat(wanted[name])
    except ValueError:
        raise InvalidInput(name, "is not a time like 2026-11-20T14:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _older(wanted: Mapping[str, str], cursor: str | None) -> str | None:
    """The URL of the next page; None: there is none."""
    return cursor and url_for("console.deliveries", cursor=cursor, **query_of(wanted))


def _refused(services: Services, wanted: Mapping[str, str]) -> tuple[list[Rejection], str | None]:
    """The next refused requests that fit, newest first, and where the next page begins."""
    names = [wanted["provider_id"]] if "provider_id" in wanted else services.runtime.instances
    since, until = _time(wanted, "since"), _time(wanted, "until")
    journal, before = services.runtime.journal, wanted.get("cursor")
    looked = [journal.latest(name, _LOOKED_AT, before) for name in names]
    # No further back than all of them were looked through: what lies beyond is the next page's.
    ends = [found[-1].id for found in looked if len(found) == _LOOKED_AT]
    horizon = max(ends, key=_place, default=None)
    fitting = [
        one
        for one in chain.from_iterable(looked)
        if wanted.get("cause") in (None, one.cause.value)
        and (since is None or one.delivery.received_at >= since)
        and (until is None or one.delivery.received_at < until)
        and (horizon is None or _place(one.id) >= _place(horizon))
    ]
    newest = sorted(fitting, key=lambda one: _place(one.id), reverse=True)
    if len(newest) <= _PAGE:
        return newest, horizon
    last = newest[_PAGE - 1].id
    # Two instances may have an entry of the same id: a page does not end between them.
    return [one for one in newest if _place(one.id) >= _place(last)], last


def _place(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))


def _headers(delivery: Delivery) -> list[tuple[str, str]]:
    """Headers without what proves who sends."""
    return [
        (name, REDACTED if _SECRET_HEADER.search(name) else value)
        for name, value in delivery.headers
    ]


def query_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The filters that a form or a URL has, and nothing else that is in it."""
    return {name: form[name] for name in _FILTERS if form.get(name)}
