"""Finding many sessions: lists by provider and status, in the order of their last change.

The lists are written right after the records, in a step of their own (they live in other slots),
so whoever reads them looks at the records again. Everything that touches a session states its
place anew, so a place that was missed once is made good by the next telling.
"""

import base64
import binascii
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from gateway.domain.errors import InvalidInput
from gateway.domain.events import SessionStatus
from gateway.domain.sessions import PaymentSession
from gateway.store import keys
from gateway.store.connection import Call, batched, call_many, executed, guarded
from gateway.store.times import to_micros


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the time of the last session's change (microseconds), and its id."""

    micros: int
    session_id: str

    @property
    def cursor(self) -> str:
        return base64.urlsafe_b64encode(f"{self.micros} {self.session_id}".encode()).decode()

    @classmethod
    def of(cls, cursor: str) -> "Place":
        """Raises InvalidInput if it is no cursor of ours."""
        try:
            micros, _, session_id = base64.urlsafe_b64decode(cursor).decode().partition(" ")
            place = cls(int(micros), session_id)
        except (binascii.Error, ValueError):
            place = None
        if place is None or place.cursor != cursor:
            raise InvalidInput("cursor", "is not one that a page ended with")
        return place


class Listings:
    """Lists of sessions. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def state(self, sessions: Sequence[PaymentSession]) -> None:
        """Lists sessions under their present status; repeating it changes nothing."""
        together = defaultdict(list)
        for session in sessions:
            together[session.provider_id, session.status].append(session)
        calls = [
            _list_call(provider_id, status, part)
            for (provider_id, status), listed in together.items()
            for part in batched(listed)
        ]
        call_many(self._client, calls)

    def expect_expiry(self, session_id: str, expires_at: datetime) -> None:
        """Has a session looked at when its time has come; say so before it is written."""
        when: Any = {session_id: to_micros(expires_at)}
        guarded(self._client.zadd, keys.EXPIRING, when)

    def page(
        self,
        provider_ids: Sequence[str],
        statuses: Sequence[SessionStatus],
        since: datetime | None,
        after: Place | None,
        count: int,
    ) -> list[Place]:
        """The next `count` sessions of these lists, the longest unchanged first.

        Costs the page, times the number of lists, however many sessions there are.
        """
        start = max(to_micros(since) if since else 0, after.micros if after else 0)
        pipeline = self._client.pipeline(transaction=False)
        for provider_id in provider_ids:
            for status in statuses:
                where = keys.sessions_by(provider_id, status)
                # Those that changed in the cursor's own microsecond may be on either side of it.
                pipeline.zrangebyscore(where, start, start, withscores=True)
                pipeline.zrangebyscore(where, f"({start}", "+inf", 0, count, withscores=True)
        found = [
            Place(int(score), member.decode())
            for listed in executed(pipeline)
            for member, score in listed
        ]
        rest = [place for place in found if after is None or _order(place) > _order(after)]
        return sorted(rest, key=_order)[:count]

    def due(self, now: datetime, count: int) -> list[str]:
        """Sessions whose time to expire has come."""
        found: Any = guarded(
            self._client.zrangebyscore, keys.EXPIRING, "-inf", to_micros(now), start=0, num=count
        )
        return [member.decode() for member in found]

    def forget_expiry(self, session_ids: Sequence[str]) -> None:
        """Their expiry is dealt with."""
        if session_ids:
            guarded(self._client.zrem, keys.EXPIRING, *session_ids)


def _order(place: Place) -> tuple[int, str]:
    return place.micros, place.session_id


def _list_call(provider_id: str, status: SessionStatus, sessions: Sequence[PaymentSession]) -> Call:
    statuses = [status, *(other for other in SessionStatus if other is not status)]
    where = [keys.sessions_by(provider_id, status) for status in statuses]
    places = [(to_micros(session.updated_at), session.id) for session in sessions]
    return "list_sessions", where, [value for place in places for value in place]
