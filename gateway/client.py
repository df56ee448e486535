"""A client of the gateway's private API, and the way in which a provider posts to the public one.

Its errors:

    ClientError
    ├── Unreachable   no answer, or not now (429, 503): trying again later is safe
    ├── Refused       the gateway answered with a problem; `status` and `problem` say which
    └── NotYet        the session was not in a wanted status when the time was up

Every call is bounded in time.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

import requests

from gateway.domain.errors import GatewayError
from gateway.domain.events import ChangeKind, Delivery, SessionStatus
from gateway.domain.history import Decision
from gateway.domain.sessions import Outcome

TIMEOUT = 10.0
# The gateway answers a long poll as soon as there is a change: a longer one costs nothing more.
_LONG_POLL = 20.0
# Between two tries while the gateway is away: it comes back within seconds, or takes its time.
_FIRST_PAUSE, _PAUSE_GROWTH, _LONGEST_PAUSE = 0.1, 1.6, 3.0
_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class ClientError(GatewayError):
    """The root of the client's errors."""


class Unreachable(ClientError):
    """There was no answer, or none just now."""


class Refused(ClientError):
    """The gateway refused. `problem` is its problem+json."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        errors = problem.get("errors")
        detail = f"{problem.get('detail', '')}{f' {errors}' if errors else ''}"
        super().__init__(f"The gateway answered {status}: {detail}")
        self.status = status
        self.problem = problem


class NotYet(ClientError):
    """The session did not come to a wanted status in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session to create: `amount` in minor units; `data` may hold the provider's `id`."""

    provider_id: str
    amount: int
    currency_code: str
    id: str | None = None
    cart_id: str | None = None
    data: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A PaymentSession as the API tells it; `etag` names this version of it."""

    id: str
    provider_id: str
    status: SessionStatus
    status_reason: str
    amount: int
    currency_code: str
    payment_authorized_at: datetime | None
    version: int
    data: Mapping[str, Any] = field(repr=False)
    idempotency_key: str = field(repr=False)
    etag: str


@dataclass(frozen=True, slots=True)
class Payment:
    """The Payment of an authorized session; amounts in minor units."""

    id: str
    session_id: str
    amount: int
    currency_code: str
    captured_amount: int
    refunded_amount: int
    disputed_amount: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered to a webhook; `cause` is why it was refused."""

    status: int
    text: str
    cause: str = ""

    @property
    def ok(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class GatewayClient:
    """The private API, for one token. Every method raises ClientError."""

    def __init__(self, base_url: str, token: str, *, timeout: float = TIMEOUT) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._http = _http()
        self._http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def create(self, new: NewSession, idempotency_key: str | None = None) -> Session:
        """A new session; with a key the call may be repeated for a day, and creates it once."""
        values = {k: v for k, v in asdict(new).items() if v is not None}
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return _session(self._ask("POST", "/sessions", json=values, headers=headers))

    def complete(self, session: Session) -> Payment:
        """Takes the payment of an authorized session; repeating it gives the same one.

        Raises Refused with status 409 while it is not authorized.
        """
        body = {"idempotency_key": session.idempotency_key}
        return _payment(self._ask("POST", f"{_path(session.id)}/complete", json=body).json())

    def get(self, session_id: str) -> Session:
        return _session(self._ask("GET", _path(session_id)))

    def changed(self, known: Session, wait: float = 0.0) -> Session | None:
        """The session if it is another version than `known`, else None: that costs very little.

        Waits for a change for up to `wait` seconds (30 at most).
        """
        headers, params = {"If-None-Match": known.etag}, {"wait": wait} if wait else {}
        answer = self._ask(
            "GET", _path(known.id), headers=headers, params=params, timeout=self._timeout + wait
        )
        return None if answer.status_code == HTTPStatus.NOT_MODIFIED else _session(answer)

    def history(self, session_id: str) -> tuple[Decision, ...]:
        """Every decision about a session, in the order in which they were taken."""
        told = self._ask("GET", f"{_path(session_id)}/history").json()
        return tuple(_decision(raw) for raw in told["decisions"])

    def wait_for(
        self, session_id: str, until: Collection[SessionStatus], timeout: float
    ) -> Session:
        """The session as soon as it is in one of the statuses. Raises NotYet after `timeout` s.

        Survives restarts of the gateway: while it is away it is asked again, ever less often.
        """
        end, pause = time.monotonic() + timeout, _FIRST_PAUSE
        session: Session | None = None
        while True:
            began = time.monotonic()
            wait = max(0.0, min(end - began, _LONG_POLL))
            news = self._news(session_id, session, wait, last=wait == 0)
            session = news or session
            if session is not None and session.status in until:
                return session
            if wait == 0:
                status = session.status if session else "unknown"
                raise NotYet(f"Session {session_id} is still {status}.")
            if news is not None:
                pause = _FIRST_PAUSE
            elif time.monotonic() - began < wait / 2:
                # It is away, or does not wait with its answer: do not ask without a break.
                time.sleep(min(pause, max(0.0, end - time.monotonic())))
                pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE)

    def _news(
        self, session_id: str, known: Session | None, wait: float, *, last: bool
    ) -> Session | None:
        """The session if it changed; None if not, or while the gateway is away."""
        try:
            return self.get(session_id) if known is None else self.changed(known, wait)
        except Unreachable:
            if last:
                raise
            return None

    def _ask(
        self, method: str, path: str, *, timeout: float | None = None, **arguments: Any
    ) -> requests.Response:
        url = f"{self._base}{path}"
        answer = _send(self._http, method, url, timeout or self._timeout, **arguments)
        if answer.status_code in _LATER:
            raise Unreachable(f"The gateway cannot answer just now: {_problem(answer)['detail']}")
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise Refused(answer.status_code, _problem(answer))
        return answer


def is_ready(base_url: str, timeout: float = 1.0) -> bool:
    """Whether the gateway can keep its promises just now."""
    try:
        with _http() as http:
            answer = _send(http, "GET", f"{base_url.rstrip('/')}/ready", timeout)
    except Unreachable:
        return False
    return answer.status_code == HTTPStatus.OK


def post_delivery(base_url: str, delivery: Delivery, timeout: float = TIMEOUT) -> Answer:
    """Posts a webhook as its provider would, its bytes untouched. Raises Unreachable."""
    url = f"{base_url.rstrip('/')}/webhooks/{quote(delivery.provider_id, safe='')}"
    with _http() as http:
        answer = _send(
            http,
            delivery.method,
            f"{url}?{delivery.query}" if delivery.query else url,
            timeout,
            data=delivery.body,
            headers=dict(delivery.headers),
        )
    cause = "" if answer.ok else str(_problem(answer).get("cause", ""))
    return Answer(answer.status_code, answer.text, cause)


def _http() -> requests.Session:
    http = requests.Session()
    # Neither a proxy nor a .netrc from the environment may come between a service and its gateway.
    http.trust_env = False
    return http


def _send(
    http: requests.Session, method: str, url: str, timeout: float, **arguments: Any
) -> requests.Response:
    try:
        return http.request(method, url, timeout=timeout, allow_redirects=False, **arguments)
    except requests.RequestException as error:
        reason = f"The gateway at {url} cannot be reached ({type(error).__name__})."
        raise Unreachable(reason) from error


def _path(session_id: str) -> str:
    return f"/sessions/{quote(session_id, safe='')}"


def _problem(answer: requests.Response) -> dict[str, Any]:
    """The problem in an answer, or what can be said about one that is none."""
    try:
        told = answer.json()
    except requests.JSONDecodeError:
        told = None
    return {"detail": answer.reason} | (told if isinstance(told, dict) else {})


def _session(answer: requests.Response) -> Session:
    raw = answer.json()
    return Session(
        id=raw["id"],
        provider_id=raw["provider_id"],
        status=SessionStatus(raw["status"]),
        status_reason=raw["status_reason"],
        amount=raw["amount"],
        currency_code=raw["currency_code"],
        payment_authorized_at=_time(raw["payment_authorized_at"]),
        version=raw["version"],
        data=raw["data"],
        idempotency_key=raw["idempotency_key"],
        etag=answer.headers["ETag"],
    )


def _payment(raw: Mapping[str, Any]) -> Payment:
    return Payment(**{item.name: raw[item.name] for item in fields(Payment)})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _decision(raw: dict[str, Any]) -> Decision:
    return Decision(
        source=raw["source"],
        event_id=raw["event_id"],
        type=raw["type"],
        outcome=Outcome(raw["outcome"]),
        before=SessionStatus(raw["before"]),
        after=SessionStatus(raw["after"]),
        occurred_at=datetime.fromisoformat(raw["occurred_at"]),
        received_at=datetime.fromisoformat(raw["received_at"]),
        decided_at=datetime.fromisoformat(raw["decided_at"]),
        delivery_id=raw["delivery_id"],
        change=ChangeKind(raw["change"]) if raw["change"] else None,
        amount=raw["amount"],
        currency=raw["currency"],
        detail=raw["detail"],
    )
