"""The way of a delivery, with a death or another process between any two of its commands.

Exhaustive for small cases, over the real scripts and the real jobs: nothing that was acknowledged
is lost, no effect happens twice, and what was parked is released once its session is there.
"""

from contextlib import suppress
from datetime import timedelta
from itertools import count

import builders
import fakeredis
import pytest
import toy
from mortal import Client, Died, Turns, dies_after, immortal
from rq import Queue
from rq.serializers import JSONSerializer

from gateway.domain.history import session_created
from gateway.store import keys
from gateway.store.keys import DeliveryState
from gateway.store.sessions import Lookup
from jobs import drain as draining
from jobs.drain import Drain
from jobs.parking import release
from jobs.queue import QUEUE
from jobs.sweep import sweep_all

NO_TIME = timedelta(0)
CAPTURE = {"status": None, "change": ["captured", "cap_1"]}


class World:
    """One store, and the processes that work on it."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self._server = fakeredis.FakeServer(server_type="valkey")
        self._client = Client(self._server)
        self.god = self.process()
        self.god.inbox.open()

    def process(self, step=immortal):
        return toy.runtime(Client(self._server, step), self._clock)

    def create(self, runtime, session_id="ps_1") -> None:
        """As the API does, and does again if its caller repeats what was cut off."""
        record = builders.record(session_id, provider_id="toy", data={"id": "pi_1"})
        if not runtime.sessions.exists(session_id):
            runtime.sessions.create(record, session_created(record.session, "api:test"))
        runtime.sessions.index([record.session])
        runtime.listings.state([record.session])
        release(runtime, Lookup("toy", "pi_1", session_id))

    def is_awake(self) -> bool:
        """A job waits that will work on the shard."""
        return Queue(QUEUE, connection=self._client, serializer=JSONSerializer).count > 0

    def finish(self) -> None:
        """What the processes that live on do in the end: who is not woken does nothing."""
        for _ in range(4):
            self._client.delete(keys.wake(0))  # its time has passed
            sweep_all(self.god)
            if self.is_awake():
                self._client.delete(f"rq:queue:{QUEUE}")
                drain(self.god)


def drain(runtime) -> None:
    Drain(runtime, 0).run(linger=NO_TIME)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Whoever holds an entry counts as dead at once, and nobody waits for entries to come."""
    monkeypatch.setattr(draining, "OVERDUE", NO_TIME)
    monkeypatch.setattr(draining, "_SLICE", NO_TIME)


@pytest.fixture
def world(clock):
    return lambda: World(clock)


def each_death(work):
    """Has the work die after 0, 1, 2, … commands, until it lives through all of them."""
    for commands in count():
        died = False
        try:
            work(dies_after(commands))
        except Died:
            died = True
        yield commands
        if not died:
            assert commands, "there is something to die of"
            return


def states(world, ids):
    return [stored.state for stored in world.god.inbox.load(ids)]


def check_applied(world, ids, events=("e1", "e2"), session_id="ps_1"):
    """All is applied once, and nothing is left to do."""
    assert [DeliveryState.APPLIED] * len(ids) == states(world, ids)
    assert 0 == world.god.inbox.backlog(0)
    told = [one for one in world.god.sessions.history(session_id) if one.delivery_id]
    assert sorted(events) == sorted(one.event_id for one in told)
    # The first telling stays: whoever finds it there again says so nowhere.
    assert "applied" == {one.event_id: str(one.outcome) for one in told}[events[-1]]
    [loaded] = world.god.sessions.load([(session_id, ())])
    payment = loaded.record.payment
    assert payment.authorized_at is not None
    assert (1000 if "e2" in events else 0) == payment.captured_amount
    assert [] == world.god.lists.listed(DeliveryState.PARKED, 10)


def keep_both(world):
    """An authorization and its capture, in the wrong order."""
    captured = toy.keep(world.god, toy.told("e2", **CAPTURE))
    return [captured, toy.keep(world.god, toy.told("e1"))]


def test_drain_may_die_between_any_two_commands(world):
    worlds = []

    def work(step):
        made = world()
        made.create(made.god)
        worlds.append((made, keep_both(made)))
        drain(made.process(step))

    for _ in each_death(work):
        made, ids = worlds[-1]
        made.finish()
        check_applied(made, ids)


def test_two_drains_may_die_one_after_the_other(world):
    """The second one dies while it finishes what the first one has left behind."""
    for first in range(0, 60, 3):
        worlds = []

        def work(step, first=first, worlds=worlds):
            made = world()
            made.create(made.god)
            worlds.append((made, keep_both(made)))
            with suppress(Died):
                drain(made.process(dies_after(first)))
            drain(made.process(step))

        for _ in each_death(work):
            made, ids = worlds[-1]
            made.finish()
            check_applied(made, ids)


def test_worker_may_die_while_it_parks_and_the_session_comes_then(world):
    worlds = []

    def work(step):
        made = world()
        worlds.append((made, keep_both(made)))
        drain(made.process(step))

    for _ in each_death(work):
        made, ids = worlds[-1]
        made.create(made.god)
        made.finish()
        check_applied(made, ids)


def test_whoever_creates_a_session_may_die_before_it_has_released_what_waits(world):
    """Its caller may repeat the request, or not: once the session is there, the sweep sees it."""
    for repeated in (True, False):
        worlds = []

        def work(step, worlds=worlds):
            made = world()
            ids = keep_both(made)
            drain(made.god)
            worlds.append((made, ids))
            made.create(made.process(step))

        for _ in each_death(work):
            made, ids = worlds[-1]
            if repeated:
                made.create(made.god)
            there = made.god.sessions.exists("ps_1")
            made.finish()
            if there:
                check_applied(made, ids)
            else:
                assert [DeliveryState.PARKED] * 2 == states(made, ids)


def both_ways(world, prepare, *works, turns_of_second=None):
    """Every way in which two processes make way for one another, whichever begins.

    The second one works for each number of commands before the first one goes on, or for those.
    """
    # Twice the same work is the same whichever begins.
    for first, second in dict.fromkeys((works, works[::-1])):
        for before in count():
            for meanwhile in turns_of_second or count():
                made = world()
                ids = prepare(made)
                turns = Turns(before, meanwhile)
                steps = []

                def process(work, made=made, turns=turns, steps=steps):
                    def counted():
                        turns.step()
                        steps.append(work)

                    return lambda: work(made, made.process(counted))

                turns.run(process(first), process(second))
                yield made, ids
                if meanwhile >= steps.count(second):
                    break
            if before >= steps.count(first):
                break


def test_session_may_come_at_any_moment_of_a_drain(world):
    """Without a sweep: one of the two must see the other."""
    for made, ids in both_ways(
        world, keep_both, lambda _, own: drain(own), lambda made, own: made.create(own)
    ):
        drain(made.god)
        check_applied(made, ids)


def test_drain_may_be_taken_for_dead_while_it_works(world):
    def prepare(made):
        made.create(made.god)
        return keep_both(made)

    for made, ids in both_ways(
        world, prepare, lambda _, own: drain(own), lambda _, own: drain(own)
    ):
        drain(made.god)
        check_applied(made, ids)


def test_two_drains_may_work_on_one_session(world):
    """Each has one of its deliveries: what the one writes the other must not overwrite."""

    def prepare(made):
        made.create(made.god)
        before = toy.keep(made.god, toy.told("e0"))
        drain(made.god)
        parts = [told("e1", "cap_2", 400), told("e2", "cap_1", 600)]
        return [before, *(toy.keep(made.god, part) for part in parts)]

    def told(event_id, reference, amount):
        change = ["captured", reference]
        return toy.told(event_id, status=None, change=change, amount=amount)

    def one_batch(_, own):
        one = own.inbox.claim(0, 1, NO_TIME)
        Drain(own, 0)._work_on(one)  # noqa: SLF001 - as one turn of a drain does

    for made, ids in both_ways(world, prepare, one_batch, one_batch, turns_of_second=[1000]):
        drain(made.god)
        check_applied(made, ids, events=("e0", "e1", "e2"))


def test_webhook_may_be_repeated_or_replayed_at_any_moment_of_a_drain(world):
    def prepare(made):
        made.create(made.god)
        return [toy.keep(made.god, toy.told("e1"))]

    def again(made, own):
        delivery_id = toy.keep(own, toy.told("e1"))
        own.inbox.requeue(delivery_id)

    for made, ids in both_ways(world, prepare, lambda _, own: drain(own), again):
        drain(made.god)
        check_applied(made, ids, events=["e1"])


def test_webhook_that_comes_while_a_drain_leaves_is_looked_after(world):
    """Whoever leaves sees it, or it wakes somebody: nothing has to wait for the sweep."""
    ids = []

    def prepare(made):
        made.create(made.god)
        ids[:] = [toy.keep(made.god, toy.told("e1"))]
        return ids

    def come(made, own):
        # As the edge does.
        delivery = toy.signed(toy.told("e2", **CAPTURE))
        appended = own.inbox.append(delivery, delivery.body, secret="s", settled=True)
        if appended.wake_due:
            own.queue.wake(0)
        ids.append(appended.delivery_id)

    for made, _ in both_ways(world, prepare, lambda _, own: drain(own), come):
        assert made.is_awake() or not made.god.inbox.backlog(0)
        drain(made.god)
        check_applied(made, ids)
