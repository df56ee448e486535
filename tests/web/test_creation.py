"""A session's creation, cut off by a death or a lost reply after any of its commands."""

from datetime import timedelta
from itertools import count

import fakeredis
import pytest
import toy
from mortal import Client, Died, dies_after

from gateway.store import keys
from gateway.store.keys import DeliveryState
from gateway.store.tokens import Scope, Token, digest_of
from gateway.web.app import create_app
from jobs import drain as draining
from jobs.drain import Drain
from jobs.sweep import sweep_all

NO_TIME = timedelta(0)
NEW = {"provider_id": "toy", "amount": 1000, "currency_code": "EUR", "data": {"id": "pi_1"}}
BY_ID = {"id": "ps_1"}
BY_KEY = {"Idempotency-Key": "order-1"}


class Place:
    """A store in which a webhook waits that names its payment only, and who works on it."""

    def __init__(self, make_services, clock) -> None:
        self._server = fakeredis.FakeServer(server_type="valkey")
        self._make = make_services
        self.god = self.services(Client(self._server))
        runtime = self.god.runtime
        runtime.inbox.open()
        self.god.tokens.add(Token("all", frozenset(Scope), digest_of("all"), clock()))
        event = toy.told("e1", session_id=None, external_id="pi_1")
        self._waits = toy.keep(runtime, event)
        Drain(runtime, 0).run(linger=NO_TIME)

    def services(self, client):
        return self._make(client)

    def client(self, kind=Client, *args):
        return kind(self._server, *args)

    def post(self, services, headers, fields):
        sent = {"Authorization": "Bearer all", **headers}
        return (
            create_app(services)
            .test_client()
            .post("/sessions", headers=sent, json={**NEW, **fields})
        )

    def patch(self, services, session_id, **fields):
        sent = {"Authorization": "Bearer all"}
        client = create_app(services).test_client()
        return client.patch(f"/sessions/{session_id}", headers=sent, json=fields)

    def refresh(self, services, **fields):
        sent = {"Authorization": "Bearer all"}
        client = create_app(services).test_client()
        told = {"data": {"id": "pi_1"}, **fields}
        return client.post("/sessions/ps_old/refresh", headers=sent, json=told)

    def state(self):
        """What became of the webhook after all that lives on has worked."""
        runtime = self.god.runtime
        for _ in range(2):
            self.client().delete(keys.wake(0))  # its time has passed
            sweep_all(runtime)
            Drain(runtime, 0).run(linger=NO_TIME)
        return runtime.inbox.load([self._waits])[0].state


class Resending(Client):
    """It loses the reply to one of its pipelines, and sends it again."""

    lost: int = -1
    sent: int = 0

    def pipeline(self, *args, **kwargs):
        pipeline = super().pipeline(*args, **kwargs)
        once = pipeline.execute

        def execute(raise_on_error=True):  # noqa: FBT002 - redis-py's
            commands = list(pipeline.command_stack)
            self.sent += 1
            if self.sent - 1 == self.lost:
                once(raise_on_error)
                pipeline.command_stack[:] = commands
            return once(raise_on_error)

        pipeline.execute = execute
        return pipeline


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(draining, "_SLICE", NO_TIME)


@pytest.mark.parametrize(("headers", "fields"), [(BY_KEY, {}), (BY_KEY, BY_ID), ({}, BY_ID)])
def test_repeating_a_creation_that_was_cut_off_makes_its_session_findable(
    make_services, clock, headers, fields
):
    for commands in count():
        place = Place(make_services, clock)
        mortal = place.services(place.client(Client, dies_after(commands)))
        try:
            place.post(mortal, headers, fields)
        except Died:
            place.post(place.god, headers, fields)
            assert place.state() is DeliveryState.APPLIED, commands
        else:
            assert commands, "there is something to die of"
            return


def create(place, services):
    place.post(services, {}, BY_ID)


def update(place, services):
    if not place.god.runtime.sessions.exists("ps_1"):
        place.post(place.god, {}, BY_ID | {"data": {}})
    place.patch(services, "ps_1", data={"id": "pi_1"})


@pytest.mark.parametrize("work", [create, update])
def test_sweep_finishes_what_was_cut_off(make_services, clock, work):
    """Nobody repeats it: what was written must be found by its webhooks nevertheless."""
    applied = 0
    for commands in count():
        place = Place(make_services, clock)
        try:
            work(place, place.services(place.client(Client, dies_after(commands))))
        except Died:
            clock.advance(seconds=61)
            [session] = place.god.runtime.sessions.get_many(["ps_1"])
            known = session is not None and session.external_id == "pi_1"
            expected = DeliveryState.APPLIED if known else DeliveryState.PARKED
            assert place.state() is expected, commands
            applied += known
        else:
            assert applied, "some died after the payment's id was written"
            return


@pytest.mark.parametrize("fields", [{}, {"id": "ps_new"}])
def test_refreshing_that_was_cut_off_leaves_one_session_once_it_is_repeated(
    make_services, clock, fields
):
    """And never two that are open: a customer might pay both."""
    for commands in count():
        place = Place(make_services, clock)
        sessions = place.god.runtime.sessions
        old = {"id": "ps_old", "cart_id": "cart_1", "data": {"id": "pi_0"}}
        place.post(place.god, {}, old)
        mortal = place.services(place.client(Client, dies_after(commands)))
        died = False
        try:
            place.refresh(mortal, **fields)
        except Died:
            died = True
            assert len(open_sessions(place)) <= 1, commands
            clock.advance(seconds=61)
            place.refresh(place.god, **fields)
        assert place.state() is DeliveryState.APPLIED, commands
        [left] = open_sessions(place)
        assert sessions.get("ps_old").superseded_by == left.id
        assert place.god.runtime.carts.sessions_of("cart_1") == [left.id]
        if not died:
            assert commands, "there is something to die of"
            return


def open_sessions(place):
    found = place.client().scan_iter("session:*")
    ids = {key.decode().split("{")[1].split("}")[0] for key in found}
    return [
        one for one in place.god.runtime.sessions.get_many(sorted(ids)) if one and not one.is_gone
    ]


def test_creation_whose_reply_was_lost_is_a_creation(make_services, clock):
    for lost in count():
        place = Place(make_services, clock)
        client = place.client(Resending)
        client.lost = lost
        services = place.services(client)
        answer = place.post(services, {}, BY_ID)
        assert answer.status_code == 201, lost
        assert place.state() is DeliveryState.APPLIED, lost
        if client.sent <= lost:
            assert lost, "there is something to lose"
            return
