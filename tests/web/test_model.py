"""The API and webhooks in any interleaving, against a small model kept in memory."""

from dataclasses import dataclass, field
from datetime import timedelta

import builders
import fakeredis
import toy
from conftest import Clock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from gateway.store.changes import Changes
from gateway.store.collections import Collections
from gateway.store.health import Health
from gateway.store.idempotency import IdempotencyKeys
from gateway.store.logins import Logins
from gateway.store.tokens import Scope, Token, Tokens, digest_of
from gateway.web.app import create_app
from gateway.web.services import Services
from jobs.drain import Drain

RANK = ["pending", "requires_more", "error", "authorized", "canceled"]
PROVIDERS = st.sampled_from(["toy", "toy-eu"])
CARTS = st.sampled_from([None, "cart_a", "cart_b"])


@dataclass
class Model:
    """What a session should be: all that was ever claimed about it, in no order."""

    provider: str
    cart: str | None
    key: str
    claims: list[tuple[int, int, int]] = field(default_factory=list)
    authorized: list[int] = field(default_factory=list)
    gone: bool = False
    completed: bool = False

    @property
    def status(self):
        return RANK[max(self.claims)[2]] if self.claims else "pending"

    def claim(self, strength, seconds, status):
        self.claims.append((strength, seconds, RANK.index(status)))


class Api(RuleBasedStateMachine):
    sessions = Bundle("sessions")

    @initialize()
    def start(self):
        self.clock = Clock()
        self.store = fakeredis.FakeRedis(server=fakeredis.FakeServer(server_type="valkey"))
        tokens = Tokens(self.store)
        tokens.add(Token("t", frozenset(Scope), digest_of("t"), self.clock()))
        self.services = Services(
            settings=toy.settings(),
            runtime=toy.runtime(self.store, self.clock),
            collections=Collections(self.store),
            idempotency=IdempotencyKeys(self.store),
            changes=Changes(self.store),
            tokens=tokens,
            logins=Logins(self.store, tokens),
            health=lambda: Health(faults=()),
            unsettled=lambda: 0,
        )
        self.http = create_app(self.services).test_client()
        self.model: dict[str, Model] = {}
        self.places: dict[tuple[str, str], str] = {}
        self.selected: dict[str, str] = {}
        self.waiting: list[tuple[str, str, int, str]] = []
        self.events = 0

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()

    def call(self, method, path, **fields):
        headers = {"Authorization": "Bearer t"}
        answer = self.http.open(path, method=method, headers=headers, **fields)
        assert answer.status_code < 500, answer.text
        return answer

    @rule(target=sessions, provider=PROVIDERS, cart=CARTS, number=st.integers(0, 8))
    def create(self, provider, cart, number):
        session_id = f"ps_{number}"
        new = {"id": session_id, "provider_id": provider, "amount": 1000, "currency_code": "EUR"}
        answer = self.call("POST", "/sessions", json={**new, "cart_id": cart})
        free = cart is None or (cart, provider) not in self.places
        assert (201 if session_id not in self.model and free else 409) == answer.status_code
        if answer.status_code == 201:
            self.put(session_id, Model(provider, cart, answer.json["idempotency_key"]))
        return session_id

    def put(self, session_id, made):
        self.model[session_id] = made
        if made.cart:
            self.places[made.cart, made.provider] = session_id
        for provider, wanted, seconds, status in list(self.waiting):
            if wanted == session_id and provider == made.provider:
                self.tell(made, seconds, status)
                self.waiting.remove((provider, wanted, seconds, status))

    def tell(self, made, seconds, status):
        settled = status in ("authorized", "canceled")
        made.claim(2 if settled else 0, seconds, status)
        if status == "authorized":
            made.authorized.append(seconds)

    @rule(
        provider=PROVIDERS,
        number=st.integers(0, 8),
        seconds=st.integers(0, 3),
        status=st.sampled_from(RANK),
        twice=st.booleans(),
    )
    def webhook(self, provider, number, seconds, status, twice):
        session_id = f"ps_{number}"
        self.events += 1
        at = builders.at(seconds).isoformat()
        told = toy.told(f"e{self.events}", session_id, status=status, at=at)
        delivery = toy.signed(told, name=provider)
        for _ in range(1 + twice):
            path = f"/webhooks/{provider}"
            answer = self.http.post(path, data=delivery.body, headers=list(delivery.headers))
            assert 200 == answer.status_code
        made = self.model.get(session_id)
        if made is None:
            self.waiting.append((provider, session_id, seconds, status))
        elif made.provider == provider:
            self.tell(made, seconds, status)
        self.drain()

    def drain(self):
        Drain(self.services.runtime, 0).run(linger=timedelta(0))

    @rule(session_id=sessions)
    def select(self, session_id):
        answer = self.call("POST", f"/sessions/{session_id}/select")
        made = self.model.get(session_id)
        if made is None:
            return
        held = made.cart and self.places.get((made.cart, made.provider)) == session_id
        assert (200 if held else 409) == answer.status_code
        if held:
            self.selected[made.cart] = session_id

    @rule(session_id=sessions, how=st.sampled_from(["cancel", "delete"]))
    def end(self, session_id, how):
        made = self.model.get(session_id)
        if how == "delete":
            answer = self.call("DELETE", f"/sessions/{session_id}")
        else:
            answer = self.call("POST", f"/sessions/{session_id}/cancel")
        if made is None:
            return
        allowed = not made.gone and made.status != "authorized"
        assert allowed == (answer.status_code in (200, 204))
        if allowed and (how == "delete" or made.status != "canceled"):
            self.end_by_us(made)
        if allowed and how == "delete":
            self.leave(session_id, made)

    def end_by_us(self, made):
        # Later than every webhook of these tests, but weaker than what a provider settles.
        made.claim(1, 10, "canceled")

    def leave(self, session_id, made):
        made.gone = True
        if made.cart:
            del self.places[made.cart, made.provider]
            if self.selected.get(made.cart) == session_id:
                del self.selected[made.cart]

    @rule(target=sessions, session_id=sessions, number=st.integers(9, 14))
    def refresh(self, session_id, number):
        new_id = f"ps_{number}"
        answer = self.call("POST", f"/sessions/{session_id}/refresh", json={"id": new_id})
        made = self.model.get(session_id)
        if made is None:
            return session_id
        allowed = not made.gone and made.status != "authorized" and new_id not in self.model
        assert allowed == (answer.status_code == 201), answer.text
        if not allowed:
            return session_id
        self.end_by_us(made)
        self.leave(session_id, made)
        self.put(new_id, Model(made.provider, made.cart, answer.json["idempotency_key"]))
        return new_id

    @rule(session_id=sessions)
    def complete(self, session_id):
        made = self.model.get(session_id)
        if made is None:
            return
        body = {"idempotency_key": made.key}
        answer = self.call("POST", f"/sessions/{session_id}/complete", json=body)
        allowed = not made.gone and (made.completed or made.status == "authorized")
        assert (200 if allowed else 409) == answer.status_code
        made.completed |= allowed

    @invariant()
    def sessions_are_as_the_model_says(self):
        if not getattr(self, "model", None):
            return
        self.drain()
        for session_id, made in self.model.items():
            stored = self.services.runtime.sessions.get(session_id)
            assert made.status == stored.status.value
            first = builders.at(min(made.authorized)) if made.authorized else None
            assert first == stored.payment_authorized_at
            assert made.gone == stored.is_gone
            assert made.completed == (stored.completed_at is not None)

    @invariant()
    def carts_are_as_the_model_says(self):
        for cart in ("cart_a", "cart_b"):
            held = sorted(sid for (c, _), sid in getattr(self, "places", {}).items() if c == cart)
            if held or getattr(self, "model", None):
                carts = self.services.runtime.carts
                assert held == carts.sessions_of(cart)
                assert [self.selected.get(cart)] == carts.selected([cart])


TestApi = Api.TestCase
TestApi.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
