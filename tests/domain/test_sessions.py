from dataclasses import replace

import builders
import pytest
from builders import at, change, status

from gateway.domain.events import ChangeKind, SessionStatus
from gateway.domain.sessions import Outcome, apply, end_by_us

PENDING, REQUIRES_MORE, ERROR, AUTHORIZED, CANCELED = SessionStatus


def fold(*events, record=None):
    record = record or builders.record()
    outcomes = []
    known = set()
    for one in events:
        record, verdict = apply(record, one, known=one.event_id in known)
        known.add(one.event_id)
        outcomes.append(verdict.outcome)
    return record, outcomes


def test_new_session_is_pending():
    session = builders.session()

    assert PENDING is session.status
    assert "created" == session.status_reason


@pytest.mark.parametrize("claimed", SessionStatus)
def test_first_claim_is_the_status(claimed):
    record, _ = fold(status(claimed, 1))

    assert claimed is record.session.status


def test_later_claim_of_equal_strength_wins():
    record, outcomes = fold(status(REQUIRES_MORE, 1), status(ERROR, 2), status(PENDING, 3))

    assert PENDING is record.session.status
    assert [Outcome.APPLIED] * 3 == outcomes


def test_late_processing_never_undoes_an_authorization():
    record, outcomes = fold(status(AUTHORIZED, 1), status(PENDING, 99))

    assert AUTHORIZED is record.session.status
    assert [Outcome.APPLIED, Outcome.OUTRANKED] == outcomes


def test_cancel_after_authorization_keeps_the_stamp():
    record, _ = fold(status(AUTHORIZED, 1), status(CANCELED, 2))

    assert CANCELED is record.session.status
    assert at(1) == record.session.payment_authorized_at


def test_authorization_told_after_a_later_cancel_is_stamped_all_the_same():
    record, outcomes = fold(status(CANCELED, 2), status(AUTHORIZED, 1))

    assert CANCELED is record.session.status
    assert at(1) == record.session.payment_authorized_at
    assert at(1) == record.payment.authorized_at
    assert [Outcome.APPLIED, Outcome.APPLIED] == outcomes


def test_equal_times_are_decided_by_rank():
    record, _ = fold(status(ERROR, 1), status(PENDING, 1), status(REQUIRES_MORE, 1))

    assert ERROR is record.session.status


def test_authorization_is_stamped_with_the_earliest_event_time():
    record, _ = fold(status(AUTHORIZED, 5), status(AUTHORIZED, 3), status(AUTHORIZED, 9))

    assert at(3) == record.session.payment_authorized_at


def test_repeated_event_changes_nothing_and_says_so():
    once, _ = fold(status(AUTHORIZED, 1))
    twice, outcomes = fold(status(AUTHORIZED, 1), status(AUTHORIZED, 1))

    assert once == twice
    assert Outcome.REPEATED is outcomes[1]


def test_event_that_was_read_anew_is_applied_though_its_id_is_known():
    """An adapter that learnt a type since must be able to make good for it by a replay."""
    record, verdict = apply(builders.record(), status(AUTHORIZED, 1), known=True)

    assert Outcome.APPLIED is verdict.outcome
    assert AUTHORIZED is record.session.status


def test_underpayment_waits_in_quarantine():
    record, outcomes = fold(status(AUTHORIZED, 1, amount=999))

    assert REQUIRES_MORE is record.session.status
    assert "amount_mismatch" == record.session.status_reason
    assert record.session.payment_authorized_at is None
    assert [Outcome.AMOUNT_MISMATCH] == outcomes


def test_other_currency_waits_in_quarantine():
    record, outcomes = fold(status(AUTHORIZED, 1, currency="USD"))

    assert REQUIRES_MORE is record.session.status
    assert [Outcome.CURRENCY_MISMATCH] == outcomes


def test_overpayment_is_accepted_and_kept():
    record, _ = fold(status(AUTHORIZED, 1, amount=1200))

    assert AUTHORIZED is record.session.status
    assert 1200 == record.session.authorized_amount
    assert 1200 == record.payment.amount


def test_whole_authorization_wins_over_a_quarantined_part_in_any_order():
    part, whole = status(AUTHORIZED, 1, amount=600), status(AUTHORIZED, 2)

    assert fold(part, whole)[0] == fold(whole, part)[0]
    assert AUTHORIZED is fold(part, whole)[0].session.status


def test_partial_capture_after_the_authorization_is_no_mismatch():
    captured = status(AUTHORIZED, 2, amount=600)

    _, outcomes = fold(status(AUTHORIZED, 1), captured)

    assert Outcome.AMOUNT_MISMATCH not in outcomes


def test_capture_that_comes_first_authorizes_too():
    record, _ = fold(change(ChangeKind.CAPTURED, "cap_1", 4))

    assert AUTHORIZED is record.session.status
    assert at(4) == record.session.payment_authorized_at
    assert 1000 == record.payment.captured_amount


def test_partial_capture_that_comes_first_waits_for_its_authorization():
    record, _ = fold(change(ChangeKind.CAPTURED, "cap_1", 4, amount=600))

    assert PENDING is record.session.status
    assert 600 == record.payment.captured_amount


def test_refund_before_capture_is_kept_for_the_payment():
    record, _ = fold(
        change(ChangeKind.REFUNDED, "re_1", 5, amount=200), change(ChangeKind.CAPTURED, "c", 4)
    )

    assert 200 == record.payment.refunded_amount


def test_cancel_by_the_provider_releases_the_payment_without_a_word_of_a_void():
    record, _ = fold(status(AUTHORIZED, 1), status(CANCELED, 5))

    assert record.payment.canceled_at is None
    assert at(5) == record.canceled_at


def test_void_that_was_told_earlier_is_when_the_payment_was_released():
    voided = change(ChangeKind.VOIDED, "pi_1", 3)
    record, _ = fold(status(AUTHORIZED, 1), status(CANCELED, 5), voided)

    assert at(3) == record.canceled_at


def test_our_own_cancel_releases_nothing_at_the_provider():
    session = end_by_us(builders.session(), reason="canceled", at=at(9))

    assert replace(builders.record(), session=session).canceled_at is None


def test_event_of_another_provider_changes_nothing():
    before = builders.record()
    after, outcomes = fold(status(AUTHORIZED, 1, provider_id="adyen"), record=before)

    assert before == after
    assert [Outcome.WRONG_PROVIDER] == outcomes


@pytest.mark.parametrize("mode", [True, False])
def test_event_of_the_other_mode_changes_nothing(mode):
    before = builders.record()
    told = status(AUTHORIZED, 1, livemode=not mode)
    after, verdict = apply(before, told, known=False, livemode=mode)

    assert before == after
    assert Outcome.WRONG_MODE is verdict.outcome


def test_our_cancel_ends_an_open_session():
    session = end_by_us(builders.session(), reason="expired", at=at(9))

    assert CANCELED is session.status
    assert "expired" == session.status_reason
    assert not session.needs_void


@pytest.mark.parametrize("late", [1, 99])
def test_authorization_wins_over_our_cancel_and_asks_for_a_void(late):
    session = end_by_us(builders.session(), reason="expired", at=at(9))

    record, _ = fold(status(AUTHORIZED, late), record=replace(builders.record(), session=session))

    assert AUTHORIZED is record.session.status
    assert record.session.needs_void


def test_our_cancel_does_not_hide_an_authorization():
    authorized, _ = fold(status(AUTHORIZED, 1))

    session = end_by_us(authorized.session, reason="expired", at=at(9))

    assert AUTHORIZED is session.status
    assert session.needs_void


def test_session_knows_its_providers_payment_by_its_data():
    assert "pi_7" == builders.session(data={"id": "pi_7"}).external_id
    assert builders.session(data={"id": 7}).external_id is None
    assert builders.session().external_id is None


def test_session_keeps_its_data_out_of_its_repr():
    assert "client_secret" not in repr(builders.session(data={"client_secret": "x"}))
