from dataclasses import replace

import builders
import pytest
from builders import at, status

from gateway.domain import actions
from gateway.domain.actions import Actor, Changes
from gateway.domain.errors import Conflict, InvalidInput
from gateway.domain.events import SessionStatus
from gateway.domain.history import Decision
from gateway.domain.sessions import Outcome, apply

SHOP = Actor("api:shop", at(100))
PENDING, REQUIRES_MORE, ERROR, AUTHORIZED, CANCELED = SessionStatus
ENDINGS = [actions.cancel, actions.delete, lambda r, a: actions.supersede(r, a, "ps_new")]


def told(record, *events):
    for event in events:
        record, _ = apply(record, event, known=False)
    return record


def authorized():
    return told(builders.record(), status(AUTHORIZED, 1))


def test_update_sets_what_is_given_and_leaves_the_rest():
    before = builders.record(data={"id": "pi_1"})
    after, decision = actions.update(before, SHOP, Changes(amount=1200, is_initiated=True))

    assert (1200, {"id": "pi_1"}) == (after.session.amount, after.session.data)
    assert after.session.is_initiated
    assert (2, at(100)) == (after.session.version, after.session.updated_at)
    assert ("api:shop", "session.updated") == (decision.source, decision.type)


def test_update_that_changes_nothing_is_no_new_version():
    before = builders.record()
    after, decision = actions.update(before, SHOP, Changes(amount=1000))

    assert before == after
    assert Outcome.UNCHANGED is decision.outcome


def test_amount_of_an_authorized_session_stands():
    with pytest.raises(Conflict, match="authorized"):
        actions.update(authorized(), SHOP, Changes(amount=1))
    after, _ = actions.update(authorized(), SHOP, Changes(data={"x": 1}))
    assert {"x": 1} == after.session.data


@pytest.mark.parametrize("act", ENDINGS)
def test_session_whose_money_is_held_cannot_be_ended_here(act):
    with pytest.raises(Conflict, match="provider"):
        act(authorized(), SHOP)


@pytest.mark.parametrize("act", ENDINGS)
@pytest.mark.parametrize("before", [PENDING, REQUIRES_MORE, ERROR, CANCELED])
def test_other_session_is_ended(act, before):
    after, decision = act(told(builders.record(), status(before, 1)), SHOP)

    assert CANCELED is after.session.status
    assert CANCELED is decision.after


def test_cancel_twice_changes_nothing_the_second_time():
    once, _ = actions.cancel(builders.record(), SHOP)
    twice, decision = actions.cancel(once, replace(SHOP, now=at(200)))

    assert once == twice
    assert Outcome.UNCHANGED is decision.outcome


@pytest.mark.parametrize("end", ENDINGS[1:])
@pytest.mark.parametrize("act", [*ENDINGS, lambda r, a: actions.update(r, a, Changes(amount=1))])
def test_nothing_more_is_done_to_a_session_that_is_gone(end, act):
    gone, _ = end(builders.record(), SHOP)
    with pytest.raises(Conflict):
        act(gone, SHOP)


@pytest.mark.parametrize("end", ENDINGS[1:])
def test_late_authorization_of_a_session_that_is_gone_is_kept_and_needs_a_person(end):
    gone, _ = end(builders.record(), SHOP)
    after, verdict = apply(gone, status(AUTHORIZED, 1), known=False)

    assert Outcome.SUPERSEDED is verdict.outcome
    assert verdict.needs_person
    assert after.session.needs_void
    assert at(1) == after.session.payment_authorized_at


def test_late_failure_of_a_session_that_is_gone_needs_nobody():
    gone, _ = actions.delete(builders.record(), SHOP)
    _, verdict = apply(gone, status(ERROR, 1), known=False)

    assert Outcome.SUPERSEDED is verdict.outcome
    assert not verdict.needs_person


def test_completion_takes_the_payment_and_may_be_repeated():
    first, decision = actions.complete(authorized(), SHOP, "key")
    again, second = actions.complete(first, replace(SHOP, now=at(500)), "key")

    assert at(100) == first.session.completed_at
    assert first == again
    assert (Outcome.APPLIED, Outcome.UNCHANGED) == (decision.outcome, second.outcome)


@pytest.mark.parametrize("before", [PENDING, REQUIRES_MORE, ERROR, CANCELED])
def test_completion_waits_for_the_authorization(before):
    with pytest.raises(Conflict, match=before):
        actions.complete(told(builders.record(), status(before, 1)), SHOP, "key")


def test_completed_session_stays_completed_though_it_was_voided():
    done, _ = actions.complete(authorized(), SHOP, "key")
    voided = told(done, status(CANCELED, 5))

    assert voided == actions.complete(voided, SHOP, "key")[0]


def test_completion_wants_the_sessions_own_key():
    with pytest.raises(InvalidInput, match="idempotency_key"):
        actions.complete(authorized(), SHOP, "another")


def test_open_session_expires_at_its_time():
    after, decision = actions.expire(builders.record(expires_at=at(60)), SHOP)

    assert (CANCELED, "expired") == (after.session.status, after.session.status_reason)
    assert "session.expired" == decision.type


@pytest.mark.parametrize(
    "record",
    [
        builders.record(),
        builders.record(expires_at=at(101)),
        told(builders.record(expires_at=at(60)), status(AUTHORIZED, 1)),
        told(builders.record(expires_at=at(60)), status(CANCELED, 1)),
    ],
)
def test_other_session_does_not_expire(record):
    assert actions.expire(record, SHOP) is None


def test_authorization_after_the_expiry_wins_and_is_flagged():
    expired, _ = actions.expire(builders.record(expires_at=at(60)), SHOP)
    after = told(expired, status(AUTHORIZED, 61))

    assert AUTHORIZED is after.session.status
    assert after.session.needs_void


def quarantined(amount=600, currency="EUR"):
    event = status(AUTHORIZED, 3, "evt_q", amount=amount, currency=currency)
    record, verdict = apply(builders.record(), event, known=False)
    decision = Decision(
        source="stripe",
        event_id="evt_q",
        type="t",
        outcome=verdict.outcome,
        before=verdict.before,
        after=verdict.after,
        occurred_at=at(3),
        received_at=at(4),
        decided_at=at(5),
        amount=amount,
        currency=currency,
    )
    return record, decision


def test_accepted_claim_authorizes_at_its_own_time_and_amount():
    record, decision = quarantined()
    after, answer = actions.accept(record, SHOP, decision, "it is fine")

    assert AUTHORIZED is after.session.status
    assert (at(3), 600) == (after.session.payment_authorized_at, after.payment.amount)
    assert "it is fine" == answer.detail


def test_accepted_claim_in_another_currency_counts_as_the_sessions_amount():
    record, decision = quarantined(amount=900, currency="USD")
    after, _ = actions.accept(record, SHOP, decision, "converted")

    assert 1000 == after.payment.amount


def test_refused_claim_changes_nothing_but_the_history():
    record, decision = quarantined()
    after, answer = actions.refuse(record, SHOP, decision, "send it back")

    assert record == after
    assert "send it back" == answer.detail


def test_answer_happens_once():
    record, decision = quarantined()
    once, first = actions.accept(record, SHOP, decision, "a")
    twice, second = actions.accept(once, SHOP, decision, "b")

    assert once == twice
    assert first.key == second.key


@pytest.mark.parametrize("answer", [actions.accept, actions.refuse])
def test_only_a_quarantined_claim_can_be_answered(answer):
    record, decision = quarantined()
    with pytest.raises(Conflict):
        answer(record, SHOP, replace(decision, outcome=Outcome.OUTRANKED), "no")
