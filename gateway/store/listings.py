"""Finding many sessions: lists by provider and status, in the order of their last change.

The lists are written right after the records, in a step of their own (they live in other slots),
so whoever reads them looks at the records again. Everything that touches a session states its
place anew, so a place that was missed once is made good by the next telling.

A list is that of one month and of one part of all sessions: no key grows for ever, and in a
cluster all servers share them.
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
from gateway.store.times import from_micros, to_micros


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
            together[_Home.of(session)].append(session)
        calls = [
            _list_call(home, some) for home, listed in together.items() for some in batched(listed)
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
        first = _month(from_micros(start))
        # Those that changed in the cursor's own microsecond may be on either side of it.
        tied = self._places(_lists(first, provider_ids, statuses), start, start) if start else []
        found = [place for place in tied if after is None or _order(place) > _order(after)]
        for month in self._months(first):
            if len(found) >= count:
                break
            lists = _lists(month, provider_ids, statuses)
            found += self._places(lists, f"({start}", "+inf", count)
        return found[:count]

    def _months(self, first: str) -> list[str]:
        """The months in which any session changed last, from the first one on."""
        pipeline = self._client.pipeline(transaction=False)
        for part in range(keys.LIST_PARTS):
            pipeline.smembers(keys.session_months(part))
        months = {month.decode() for found in executed(pipeline) for month in found}
        return sorted(month for month in months if month >= first)

    def _places(
        self, lists: Sequence[str], lowest: int | str, highest: int | str, most: int | None = None
    ) -> list[Place]:
        """What stands in the lists between two times, in order; `most` from each of them."""
        first = None if most is None else 0
        pipeline = self._client.pipeline(transaction=False)
        for where in lists:
            pipeline.zrangebyscore(where, lowest, highest, first, most, withscores=True)
        places = [
            Place(int(score), member.decode())
            for listed in executed(pipeline)
            for member, score in listed
        ]
        return sorted(places, key=_order)

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


@dataclass(frozen=True, slots=True)
class _Home:
    """The list that a session is to stand in, and the months in which it may have been listed."""

    part: int
    provider_id: str
    status: SessionStatus
    month: str
    created_in: str

    @classmethod
    def of(cls, session: PaymentSession) -> "_Home":
        month, created_in = _month(session.updated_at), _month(session.created_at)
        part = keys.list_part(session.id)
        return cls(part, session.provider_id, session.status, month, min(created_in, month))

    @property
    def others(self) -> list[str]:
        """All lists in which it may still stand, whoever listed it last and was cut off."""
        return [
            keys.sessions_by(self.part, month, self.provider_id, status)
            for month in _months_between(self.created_in, self.month)
            for status in SessionStatus
            if (month, status) != (self.month, self.status)
        ]


def _list_call(home: _Home, sessions: Sequence[PaymentSession]) -> Call:
    where = [
        keys.sessions_by(home.part, home.month, home.provider_id, home.status),
        keys.session_months(home.part),
        *home.others,
    ]
    places = [(to_micros(session.updated_at), session.id) for session in sessions]
    return "list_sessions", where, [home.month, *(value for place in places for value in place)]


def _lists(month: str, provider_ids: Sequence[str], statuses: Sequence[SessionStatus]) -> list[str]:
    return [
        keys.sessions_by(part, month, provider_id, status)
        for part in range(keys.LIST_PARTS)
        for provider_id in provider_ids
        for status in statuses
    ]


def _month(moment: datetime) -> str:
    return f"{moment.year:04}-{moment.month:02}"


def _months_between(first: str, last: str) -> list[str]:
    """Both of them, and those between."""
    begin, end = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last))
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(begin, end + 1)]
