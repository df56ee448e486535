"""A steady stream of signed webhooks of several providers, each accounted for by its id.

Every webhook is a refund of one minor unit with an id of its own. So an effect that is lost or
happens twice shows in the money: a session's refunds must be as many as were acknowledged.
"""

import http.client
import itertools
import math
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from processes import Gateway, eventually

from gateway.cli.development import provider_environment
from gateway.config import load
from gateway.domain.events import Delivery
from gateway.store.inbox import Inbox
from gateway.store.sessions import Sessions
from providers import simulator
from providers.simulator import SimulatedPayment

PROVIDERS = ("stripe", "adyen", "square", "checkout_com", "razorpay", "standard_webhooks")
AMOUNT, CURRENCY = 50_000_000, "EUR"
_SENDERS = 6
_TIMEOUT = 10.0


# The environment of a gateway that knows these providers by their development secrets.
SETTINGS = {k: v for name in PROVIDERS for k, v in provider_environment(name).items()}
INSTANCES = load({"GATEWAY_STORE_URL": "unix:///none", **SETTINGS}).instances


def payment(provider: str, session_id: str, **changes) -> SimulatedPayment:
    values = {"amount": AMOUNT, "currency": CURRENCY} | changes
    external_id = simulator.external_id(provider, session_id)
    return SimulatedPayment(session_id=session_id, external_id=external_id, **values)


def delivery(provider: str, kind: str, told: SimulatedPayment, event_id: str) -> Delivery:
    at = datetime.now(UTC)
    return simulator.simulate(INSTANCES[provider], kind, told, event_id=event_id, at=at)


@dataclass(frozen=True)
class Webhook:
    """One that is sent, and the event that must come of it."""

    session_id: str
    event_id: str
    delivery: Delivery = field(repr=False)

    @classmethod
    def refund(cls, provider: str, session_id: str, number: int) -> "Webhook":
        told = payment(provider, session_id, amount=1, reference_id=f"r{number}")
        made = delivery(provider, "refunded", told, f"evt{number}")
        instance = INSTANCES[provider]
        (event,) = instance.adapter.read(made, instance.config)
        return cls(session_id, event.event_id, made)


@dataclass
class Account:
    """What was sent, and how it was answered; 0 stands for no answer."""

    acknowledged: list[Webhook] = field(default_factory=list)
    unanswered: list[Webhook] = field(default_factory=list)
    answers: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_refusal: float = 0.0
    cut_off: int = 0
    longest_gap: float = 0.0
    """Seconds between one that was acknowledged and the next."""
    _last: float = field(default=math.inf, repr=False)

    @property
    def sent(self) -> int:
        return len(self.acknowledged) + len(self.unanswered)

    def pause(self) -> None:
        """Nothing is sent until now: that is no gap."""
        self._last = math.inf

    def note(self, webhook: Webhook, status: int, seconds: float) -> None:
        self.answers[status] += 1
        self.slowest = max(self.slowest, seconds)
        if 200 <= status < 300:
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - self._last)
            self._last = now
            self.acknowledged.append(webhook)
            return
        self.unanswered.append(webhook)
        if status:
            self.slowest_refusal = max(self.slowest_refusal, seconds)


class Post:
    """Posts over one connection, as a provider's sender does; a new one for each if `fresh`."""

    def __init__(self, gateway: Gateway, *, fresh: bool = False) -> None:
        self._gateway = gateway
        self._fresh = fresh
        self._connection: http.client.HTTPConnection | None = None
        self.cut_off = 0

    def __call__(self, made: Delivery, timeout: float = _TIMEOUT) -> int:
        """The status of the answer; 0 if there was none."""
        sent = False
        try:
            connection = self._connected(timeout)
            query = f"?{made.query}" if made.query else ""
            connection.request("POST", made.path + query, made.body, dict(made.headers))
            sent = True
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.cut_off += sent
            self.close()
            return 0
        if self._fresh or answer.will_close:
            self.close()
        return answer.status

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self, timeout: float) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                self._gateway.address, self._gateway.port, timeout=timeout
            )
            self._connection.connect()
        return self._connection


class Traffic:
    """Webhooks from several senders at once, until it is stopped."""

    def __init__(self, gateway: Gateway, sessions: int, *, fresh: bool = False) -> None:
        self._gateway = gateway
        self._fresh = fresh
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.account = Account()
        self.sessions = [
            (provider, f"ps_{provider}_{number}")
            for number in range(sessions)
            for provider in PROVIDERS
        ]

    def prepare(self) -> None:
        """Makes the sessions, each with a payment that was captured."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._prepare, self.sessions))
        self.wait_until_worked_off()

    def _prepare(self, session: tuple[str, str]) -> None:
        provider, session_id = session
        told = payment(provider, session_id)
        fields = {"provider_id": provider, "amount": AMOUNT, "data": {"id": told.external_id}}
        self._gateway.create(session_id, **fields)
        post = Post(self._gateway, fresh=True)
        for kind in ("authorized", "captured"):
            made = delivery(provider, kind, told, f"evt_{kind}_{session_id}")
            assert 200 <= post(made) < 300

    def __enter__(self) -> Self:
        self._stop.clear()
        self.account.pause()
        self._threads = [threading.Thread(target=self._send) for _ in range(_SENDERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def flow(self, count: int) -> None:
        """Waits until so many more were sent, answered or not."""
        goal = self.account.sent + count
        eventually(lambda: self.account.sent >= goal, "the stream flows", seconds=300)

    def flow_through(self, count: int) -> None:
        """Waits until so many more were acknowledged."""
        acknowledged = self.account.acknowledged
        goal = len(acknowledged) + count
        eventually(lambda: len(acknowledged) >= goal, "webhooks are acknowledged again")

    def next_webhook(self) -> Webhook:
        number = next(self._numbers)
        provider, session_id = self.sessions[number % len(self.sessions)]
        return Webhook.refund(provider, session_id, number)

    def _send(self) -> None:
        post = Post(self._gateway, fresh=self._fresh)
        while not self._stop.is_set():
            self._deliver(post, self.next_webhook())
        post.close()
        with self._lock:
            self.account.cut_off += post.cut_off

    def deliver(self, webhook: Webhook) -> None:
        """Sends one of next_webhook's, which is accounted for as all others."""
        self._deliver(Post(self._gateway, fresh=True), webhook)

    def _deliver(self, post: Post, webhook: Webhook) -> None:
        began = time.monotonic()
        status = post(webhook.delivery)
        with self._lock:
            self.account.note(webhook, status, time.monotonic() - began)
        if not 200 <= status < 300:
            time.sleep(0.02)  # a provider would wait much longer before the next

    def send_again(self) -> int:
        """Sends again what was not acknowledged, as providers do; how many were acknowledged."""
        post = Post(self._gateway)
        left = list(self.account.unanswered)
        done = [webhook for webhook in left if 200 <= post(self._resigned(webhook)) < 300]
        post.close()
        return len(done)

    def _resigned(self, webhook: Webhook) -> Delivery:
        instance = INSTANCES[webhook.delivery.provider_id]
        later = Delivery(
            provider_id=webhook.delivery.provider_id,
            body=webhook.delivery.body,
            headers=webhook.delivery.headers,
            received_at=datetime.now(UTC),
            path=webhook.delivery.path,
            query=webhook.delivery.query,
        )
        return instance.adapter.scheme.sign(later, instance.config)

    def wait_until_worked_off(self, seconds: float = 60) -> float:
        """Waits until the inbox is empty; the seconds that it took."""
        began = time.monotonic()
        eventually(self._is_worked_off, "everything is worked off", seconds=seconds)
        return time.monotonic() - began

    def wait_until_fresh(self, seconds: float = 60) -> float:
        """Waits until what has just been acknowledged is applied; the seconds that it took."""
        eventually(lambda: self.account.acknowledged, "the stream flows")
        webhook, began = self.account.acknowledged[-1], time.monotonic()
        eventually(lambda: self._is_applied(webhook), "it is applied", seconds)
        return time.monotonic() - began

    def _is_applied(self, webhook: Webhook) -> bool:
        with self._gateway.client() as client:
            history = Sessions(client).history(webhook.session_id)
            return any(decision.event_id == webhook.event_id for decision in history)

    def _is_worked_off(self) -> bool:
        with self._gateway.client() as client:
            return Inbox(client, self._gateway.shards).waiting().count == 0

    def applied(self) -> Counter:
        """How often each event stands in the histories as applied."""
        with self._gateway.client() as client:
            sessions = Sessions(client)
            return Counter(
                (session_id, decision.event_id)
                for _, session_id in self.sessions
                for decision in sessions.history(session_id)
                if decision.outcome == "applied" and decision.change == "refunded"
            )

    def refunded(self) -> int:
        """All money that was given back, in minor units: one for each effect."""
        ids = [session_id for _, session_id in self.sessions]
        with self._gateway.client() as client:
            found = Sessions(client).load([(session_id, ()) for session_id in ids])
            return sum(one.record.payment.refunded_amount for one in found)
