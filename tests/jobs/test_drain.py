import threading
from dataclasses import replace
from datetime import timedelta

import builders
import pytest
import toy
from builders import at

from gateway.domain.events import SessionStatus
from gateway.domain.history import session_created
from gateway.domain.sessions import Outcome
from gateway.store import keys
from gateway.store.clients import worker_client
from gateway.store.keys import DeliveryState
from gateway.store.sessions import Commit, Lookup
from jobs import drain as module
from jobs.drain import MAX_TRIES, Drain
from jobs.parking import release
from jobs.queue import DRAIN, SETTLE
from jobs.runtime import stopping

NOTHING = timedelta(0)


def create(runtime, session_id="ps_1", provider_id="toy", **fields):
    record = builders.record(session_id, provider_id=provider_id, **fields)
    runtime.sessions.create(record, session_created(record.session, "api:test"))
    session = record.session
    lookup = Lookup(session.provider_id, session.external_id, session.id)
    release(runtime, lookup)


def drain(runtime):
    Drain(runtime, 0).run(linger=NOTHING)


def state(runtime, delivery_id):
    return runtime.inbox.load([delivery_id])[0].state


def outcomes(runtime, session_id="ps_1"):
    return {d.event_id: d.outcome for d in runtime.sessions.history(session_id)[1:]}


def test_webhook_authorizes_its_session(runtime, clock):
    create(runtime)
    clock.advance(seconds=3)
    delivery_id = toy.keep(runtime, toy.told("e1", at="2026-11-20T14:00:01+00:00"))
    drain(runtime)

    session = runtime.sessions.get("ps_1")
    assert SessionStatus.AUTHORIZED is session.status
    assert at(1) == session.payment_authorized_at
    assert clock.now == session.updated_at
    assert 2 == session.version
    assert DeliveryState.APPLIED is state(runtime, delivery_id)
    assert 0 == runtime.inbox.backlog(0)


def test_decision_tells_where_it_comes_from(runtime, clock):
    create(runtime)
    delivery_id = toy.keep(runtime, toy.told("e1"))
    drain(runtime)

    decision = runtime.sessions.history("ps_1")[-1]
    assert ("toy", "e1", delivery_id) == (decision.source, decision.event_id, decision.delivery_id)
    assert (SessionStatus.PENDING, SessionStatus.AUTHORIZED) == (decision.before, decision.after)
    assert clock.now == decision.decided_at


def test_event_told_by_two_deliveries_is_applied_once(runtime):
    create(runtime)
    toy.keep(runtime, toy.told("e1"))
    toy.keep(runtime, toy.told("e1"), attempt=2)
    drain(runtime)

    assert {"e1": Outcome.APPLIED} == outcomes(runtime)
    assert 2 == runtime.sessions.get("ps_1").version


def test_many_events_of_one_session_are_one_commit(runtime):
    create(runtime)
    for number in range(30):
        toy.keep(runtime, toy.told(f"r{number}", status=None, change=["refunded", f"re{number}"]))
    drain(runtime)

    assert 2 == runtime.sessions.get("ps_1").version
    assert 30 == len(outcomes(runtime))


def test_webhook_before_its_session_is_parked_and_released(runtime):
    delivery_id = toy.keep(runtime, toy.told("e1"))
    drain(runtime)
    assert DeliveryState.PARKED is state(runtime, delivery_id)

    create(runtime)
    drain(runtime)

    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status
    assert DeliveryState.APPLIED is state(runtime, delivery_id)
    assert [] == runtime.lists.listed(DeliveryState.PARKED, 10)
    assert [] == runtime.sessions.waiting_for(Lookup("toy", None, "ps_1"))


def test_parked_webhook_is_released_by_its_payments_id(runtime):
    told = toy.told("e1", session_id=None, external_id="pay_7")
    delivery_id = toy.keep(runtime, told)
    drain(runtime)

    create(runtime, data={"id": "pay_7"})
    drain(runtime)

    assert DeliveryState.APPLIED is state(runtime, delivery_id)


def test_session_created_while_its_webhook_is_being_parked_is_seen(runtime, monkeypatch):
    """Whoever parks looks once more: creation may have looked for parked ones just before."""
    park = runtime.sessions.park

    def park_late(self, *args):
        create(runtime)
        park(*args)

    monkeypatch.setattr(type(runtime.sessions), "park", park_late)
    delivery_id = toy.keep(runtime, toy.told("e1"))
    drain(runtime)

    assert DeliveryState.APPLIED is state(runtime, delivery_id)


def test_payment_id_is_learnt_from_a_webhook_that_names_the_session(runtime):
    create(runtime)
    waiting = toy.keep(
        runtime,
        toy.told("e2", None, external_id="pay_7", status=None, change=["refunded", "re_1"]),
    )
    drain(runtime)
    assert DeliveryState.PARKED is state(runtime, waiting)

    toy.keep(runtime, toy.told("e1", external_id="pay_7"))
    drain(runtime)

    assert DeliveryState.APPLIED is state(runtime, waiting)
    assert {"e1": Outcome.APPLIED, "e2": Outcome.APPLIED} == outcomes(runtime)


def test_provider_cannot_claim_anothers_session(runtime):
    create(runtime, provider_id="toy-eu")
    toy.keep(runtime, toy.told("e1", external_id="pay_7"))
    drain(runtime)

    assert SessionStatus.PENDING is runtime.sessions.get("ps_1").status
    assert {"e1": Outcome.WRONG_PROVIDER} == outcomes(runtime)
    assert [None] == runtime.sessions.find([Lookup("toy", "pay_7", None)])


def test_batch_of_two_sessions_applies_what_it_can(runtime):
    create(runtime)
    delivery_id = toy.keep(runtime, toy.told("e1"), toy.told("e2", "ps_2"))
    drain(runtime)
    assert DeliveryState.PARKED is state(runtime, delivery_id)
    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status

    create(runtime, "ps_2")
    drain(runtime)

    assert DeliveryState.APPLIED is state(runtime, delivery_id)
    assert {"e1": Outcome.APPLIED} == outcomes(runtime)
    assert {"e2": Outcome.APPLIED} == outcomes(runtime, "ps_2")


def test_underpayment_puts_the_delivery_into_quarantine(runtime):
    create(runtime)
    delivery_id = toy.keep(runtime, toy.told("e1", amount=999))
    drain(runtime)

    assert DeliveryState.QUARANTINED is state(runtime, delivery_id)
    assert SessionStatus.REQUIRES_MORE is runtime.sessions.get("ps_1").status


def test_instance_applies_only_its_own_mode(runtime):
    create(runtime)
    live = {"toy": toy.instance("toy", livemode=True)}
    toy.keep(runtime, toy.told("e1", livemode=False))
    drain(replace(runtime, instances=live))

    assert {"e1": Outcome.WRONG_MODE} == outcomes(runtime)


def test_delivery_that_concerns_no_payment_is_done(runtime):
    told = toy.told("e1", status=None, recognized=False, type="new.thing")
    delivery_id = toy.keep(runtime, told)
    drain(runtime)

    stored = runtime.inbox.load([delivery_id])[0]
    assert DeliveryState.APPLIED is stored.state
    assert ("new.thing: unknown type",) == stored.notes


def test_malformed_delivery_is_dead_with_its_cause(runtime):
    delivery = replace(toy.signed(), body=b"nonsense")
    appended = runtime.inbox.append(delivery, b"k", secret="", settled=True)
    drain(runtime)

    stored = runtime.inbox.load([appended.delivery_id])[0]
    assert DeliveryState.DEAD is stored.state
    assert ("malformed: no events",) == stored.notes


def test_delivery_of_a_provider_no_longer_configured_is_dead(runtime):
    delivery_id = toy.keep(runtime, toy.told("e1"))
    drain(replace(runtime, instances={}))

    assert DeliveryState.DEAD is state(runtime, delivery_id)
    assert "not_configured" in runtime.inbox.load([delivery_id])[0].notes[0]


def test_delivery_that_needs_the_api_is_settled_by_a_job(runtime, queued):
    create(runtime)
    delivery_id = toy.keep(runtime, ask=True)
    drain(runtime)

    assert DeliveryState.UNSETTLED is state(runtime, delivery_id)
    assert (SETTLE, delivery_id) in queued()
    assert SessionStatus.PENDING is runtime.sessions.get("ps_1").status


def crash(runtime):
    delivery = replace(toy.signed(), body=b'{"events": "crash"}')
    return runtime.inbox.append(delivery, b"crash", secret="", settled=True).delivery_id


def test_poison_harms_no_other_and_is_given_up_in_the_end(runtime, monkeypatch):
    monkeypatch.setattr(module, "OVERDUE", NOTHING)
    create(runtime)
    poison = crash(runtime)
    sound = toy.keep(runtime, toy.told("e1"))
    drain(runtime)
    assert DeliveryState.APPLIED is state(runtime, sound)
    assert DeliveryState.RECEIVED is state(runtime, poison)

    for _ in range(MAX_TRIES):
        drain(runtime)

    assert DeliveryState.DEAD is state(runtime, poison)
    (note,) = runtime.inbox.load([poison])[0].notes
    assert note.startswith("given up after 8 tries: RuntimeError at toy.py:")
    assert 0 == runtime.inbox.backlog(0)


def test_what_kills_its_worker_is_given_up_in_the_end(runtime, monkeypatch):
    monkeypatch.setattr(module, "OVERDUE", NOTHING)
    create(runtime)
    deadly = toy.keep(runtime, toy.told("e1"))
    # Taken again and again by drains that do not live to say why.
    (entry,) = runtime.inbox.claim(0, 10, NOTHING)
    for _ in range(MAX_TRIES - 1):
        runtime.inbox.take_over(0, [entry.stream_id], NOTHING)

    drain(runtime)

    (note,) = runtime.inbox.load([deadly])[0].notes
    assert "given up after 8 tries: the worker died of it; mend that, then requeue it" == note


def contend(runtime, monkeypatch, session_id):
    """Lets somebody else write a session before each of our commits."""
    commit = type(runtime.sessions).commit

    def late(self, commits):
        for one in commits:
            if one.before is not None and one.before.session.id == session_id:
                session = one.before.session
                other = replace(one.before, session=replace(session, version=session.version + 1))
                commit(self, [Commit(one.before, other, ())])
        return commit(self, commits)

    monkeypatch.setattr(type(runtime.sessions), "commit", late)


def test_session_that_cannot_be_written_holds_up_no_other(runtime, monkeypatch):
    monkeypatch.setattr(module, "OVERDUE", NOTHING)
    create(runtime)
    create(runtime, "ps_2")
    stuck, sound = toy.keep(runtime, toy.told("e1")), toy.keep(runtime, toy.told("e2", "ps_2"))
    contend(runtime, monkeypatch, "ps_1")

    drain(runtime)

    assert DeliveryState.APPLIED is state(runtime, sound)
    assert DeliveryState.RECEIVED is state(runtime, stuck)
    for _ in range(MAX_TRIES):
        drain(runtime)
    assert DeliveryState.DEAD is state(runtime, stuck)
    assert "its session changes faster" in runtime.inbox.load([stuck])[0].notes[0]


def test_strange_data_in_the_store_harm_no_other_delivery(runtime, store, monkeypatch):
    monkeypatch.setattr(module, "OVERDUE", NOTHING)
    create(runtime)
    create(runtime, "ps_2")
    store.delete(keys.history("ps_1"))
    store.set(keys.history("ps_1"), "not ours")
    spoilt, sound = toy.keep(runtime, toy.told("e1")), toy.keep(runtime, toy.told("e2", "ps_2"))

    for _ in range(MAX_TRIES + 1):
        drain(runtime)

    assert DeliveryState.APPLIED is state(runtime, sound)
    assert DeliveryState.DEAD is state(runtime, spoilt)
    assert "WRONGTYPE" in runtime.inbox.load([spoilt])[0].notes[0]


def test_drain_takes_over_what_a_dead_one_held(runtime, monkeypatch):
    monkeypatch.setattr(module, "OVERDUE", NOTHING)
    create(runtime)
    toy.keep(runtime, toy.told("e1"))
    runtime.inbox.claim(0, 10, NOTHING)
    drain(runtime)

    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status
    assert 0 == runtime.inbox.backlog(0)


def test_drain_killed_between_commit_and_acknowledge_changes_nothing_twice(runtime, monkeypatch):
    monkeypatch.setattr(module, "OVERDUE", NOTHING)
    create(runtime)
    toy.keep(runtime, toy.told("e1"), toy.told("r", status=None, change=["refunded", "re_1"]))

    class Killed(BaseException):
        pass

    def die(*args):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(runtime.inbox), "finish", die)
        with pytest.raises(Killed):
            drain(runtime)
    before = runtime.sessions.get("ps_1")
    drain(runtime)

    assert before == runtime.sessions.get("ps_1")
    assert 0 == runtime.inbox.backlog(0)
    assert {"e1": Outcome.APPLIED, "r": Outcome.APPLIED} == outcomes(runtime)


def test_drain_leaves_no_wake_flag_behind(runtime):
    toy.keep(runtime, toy.told("e1"))
    drain(runtime)

    assert not runtime.inbox.needs_wake(0)
    assert runtime.inbox.append(toy.signed(), b"next", secret="", settled=True).wake_due


def test_arrival_during_the_last_look_is_not_forgotten(runtime, queued, monkeypatch):
    create(runtime)
    clear = runtime.inbox.clear_wake

    def arrive_then_clear(self, shard):
        toy.keep(runtime, toy.told("e1"))
        clear(shard)

    monkeypatch.setattr(type(runtime.inbox), "clear_wake", arrive_then_clear)
    drain(runtime)

    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status
    assert (DRAIN, 0) in queued()


def test_full_batch_calls_for_help(runtime, queued, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    for number in range(5):
        toy.keep(runtime, toy.told(f"e{number}"))
    drain(runtime)

    assert (DRAIN, 0) in queued()
    assert 0 == runtime.inbox.backlog(0)


def test_drain_that_is_asked_to_stop_leaves_the_rest_woken(runtime, queued, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    for number in range(3):
        toy.keep(runtime, toy.told(f"e{number}"))
    stopping.set()
    drain(runtime)

    assert (DRAIN, 0) in queued()
    assert runtime.inbox.backlog(0) > 0


def test_two_drains_at_once_apply_everything_once(valkey_url, valkey, clock):

    clients = [worker_client(valkey_url) for _ in range(2)]
    runtimes = [toy.runtime(client, clock) for client in clients]
    first = runtimes[0]
    first.inbox.open()
    for number in range(5):
        create(first, f"ps_{number}")
    for number in range(300):
        change = ["refunded", f"re_{number}"]
        told = toy.told(f"e{number}", f"ps_{number % 5}", status=None, change=change, amount=1)
        toy.keep(first, told)
    threads = [threading.Thread(target=drain, args=(runtime,)) for runtime in runtimes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    loaded = first.sessions.load([(f"ps_{number}", ()) for number in range(5)])
    assert [60] * 5 == [found.record.payment.refunded_amount for found in loaded]
    assert 0 == first.inbox.backlog(0)
    for client in clients:
        client.close()


def test_secret_that_matched_is_counted(runtime, clock):
    for number in range(3):
        toy.keep(runtime, toy.told(f"e{number}"))
    drain(runtime)

    [use] = runtime.secret_uses.of("toy")
    assert ("secrets[0]", 3, clock.now) == (use.label, use.count, use.last_at)
