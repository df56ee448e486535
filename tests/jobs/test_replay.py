from dataclasses import replace
from datetime import timedelta

import builders
import pytest
import toy
from test_drain import create, drain, state

from gateway.domain.actions import Actor
from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import SessionStatus
from gateway.store.journal import Journal
from gateway.store.keys import DeliveryState
from jobs.replay import Selection, find, find_all, preview, replay
from jobs.reverify import reverify
from providers.diagnosis import REDACTED

WHO = Actor("cli:ops", builders.START)


def ids(found):
    return {stored.id for stored in found}


def test_replaying_everything_changes_no_session(runtime):
    create(runtime)
    for number in range(5):
        toy.keep(
            runtime,
            toy.told(f"e{number}", status=None, change=("refunded", f"r{number}"), amount=10),
        )
    drain(runtime)
    before = runtime.sessions.load([("ps_1", ())])[0].record, runtime.sessions.history("ps_1")

    wanted = ids(find_all(runtime, Selection(DeliveryState.APPLIED)))
    assert 5 == replay(runtime, sorted(wanted), WHO)
    drain(runtime)

    after = runtime.sessions.load([("ps_1", ())])[0].record, runtime.sessions.history("ps_1")
    assert before == after
    assert wanted == ids(find_all(runtime, Selection(DeliveryState.APPLIED)))


def test_dead_letter_is_applied_once_its_cause_is_mended(runtime):
    create(runtime)
    dead = toy.keep(runtime, toy.told("e1"))
    drain(replace(runtime, instances={}))
    assert DeliveryState.DEAD is state(runtime, dead)

    for _ in range(2):
        replay(runtime, [dead], WHO)
        drain(runtime)

    stored = runtime.inbox.load([dead])[0]
    assert DeliveryState.APPLIED is stored.state
    assert stored.asked.startswith("cli:ops at 2026-")
    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status


def test_filters_choose_deliveries(runtime, clock):
    create(runtime)
    create(runtime, "ps_2", provider_id="toy-eu")
    first = toy.keep(runtime, toy.told("e1"))
    drain(runtime)
    clock.advance(minutes=5)
    second = toy.keep(runtime, toy.told("e2", "ps_2"), name="toy-eu")
    drain(runtime)

    def chosen(**fields):
        return ids(find(runtime, Selection(DeliveryState.APPLIED, **fields), 10).deliveries)

    assert {first, second} == chosen()
    assert {second} == chosen(provider_id="toy-eu")
    assert {first} == chosen(session_id="ps_1")
    assert {second} == chosen(since=clock.now - timedelta(minutes=1))
    assert set() == chosen(cause="malformed")


def test_deliveries_of_one_moment_are_paged_without_gaps(runtime):
    create(runtime)
    kept = {toy.keep(runtime, toy.told(f"e{n}", change=("refunded", f"r{n}"))) for n in range(25)}
    drain(runtime)

    seen, after = [], None
    while True:
        found = find(runtime, Selection(DeliveryState.APPLIED), 4, after)
        seen += [stored.id for stored in found.deliveries]
        if (after := found.last) is None:
            break
    assert kept == set(seen)
    assert 25 == len(seen)


def test_preview_tells_what_a_replay_would_do_and_does_nothing(runtime):
    create(runtime)
    kept = toy.keep(runtime, toy.told("e1"), toy.told("e2", "ps_9"), toy.told("e3", status=None))
    told = preview(runtime, runtime.inbox.load([kept])[0])

    assert "genuine, by secrets[0]" == told.verdict
    effects = [(e.session_id, e.outcome, e.before, e.after) for e in told.effects]
    assert [
        ("ps_1", "applied", SessionStatus.PENDING, SessionStatus.AUTHORIZED),
        (None, "waits for its session", None, None),
        (None, "ignored", None, None),
    ] == effects
    assert SessionStatus.PENDING is runtime.sessions.get("ps_1").status


def test_preview_judges_by_todays_secrets_at_the_time_of_receipt(runtime):
    kept = runtime.inbox.load([toy.keep(runtime, toy.told("e1"))])[0]
    rotated = replace(runtime, instances={"toy": toy.instance(secret="another")})

    assert "not by today's secrets: bad_signature" in preview(rotated, kept).verdict
    headers = (("X-Toy-Token", REDACTED),)
    redacted = replace(kept, delivery=replace(kept.delivery, headers=headers))
    assert "credentials were not kept" in preview(runtime, redacted).verdict
    assert "not configured" == preview(replace(runtime, instances={}), kept).verdict


def test_preview_of_what_has_to_be_asked_back_asks_nobody(runtime):
    kept = toy.keep(runtime, ask=True)

    assert "API would be asked" in preview(runtime, runtime.inbox.load([kept])[0]).reading


@pytest.fixture
def journal(store):
    return Journal(store)


def refused(journal, delivery, cause=Cause.BAD_SIGNATURE):
    return journal.get("toy", journal.record(delivery, Rejected(cause)))


def test_refused_request_is_applied_once_the_secret_is_mended(runtime, journal):
    create(runtime)
    one = refused(journal, toy.signed(toy.told("e1")))
    wrong = replace(runtime, instances={"toy": toy.instance(secret="wrong")})
    assert (None, "bad_signature") == (
        reverify(wrong, one).delivery_id,
        reverify(wrong, one).why.partition(":")[0],
    )

    kept = reverify(runtime, one).delivery_id
    drain(runtime)
    again = reverify(runtime, journal.get("toy", one.id))

    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status
    assert (kept, "it was kept before") == (again.delivery_id, again.why)
    assert 2 == len(runtime.sessions.history("ps_1"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"body": b"x" * 70_000}, "too long"),
        ({"headers": (("X-Toy-Token", REDACTED),)}, "credentials were not kept"),
        ({"query": f"token={REDACTED}"}, "credentials were not kept"),
    ],
)
def test_request_that_was_not_kept_whole_has_to_be_sent_again(runtime, journal, changes, why):
    one = refused(journal, replace(toy.signed(toy.told("e1")), **changes))
    done = reverify(runtime, one)

    assert done.delivery_id is None
    assert why in done.why
    assert 0 == runtime.inbox.backlog(0)
