import builders
import pytest
from builders import at, change

from gateway.domain.events import ChangeKind
from gateway.domain.payments import Subject, change_of
from gateway.domain.sessions import payment_id, session_id_of

CAPTURED, REFUNDED = ChangeKind.CAPTURED, ChangeKind.REFUNDED


def payment(*events, amount=1000):
    made = builders.record(amount=amount).payment
    for one in events:
        made = made.with_change(change_of(one))
    return made


def test_payment_id_is_the_sessions_own_ulid():
    assert "pay_01JD" == builders.record("ps_01JD").payment.id


@pytest.mark.parametrize("session_id", ["ps_01JD", "01JD", "order-7", "x_01JD", "ps_", "ps__x"])
def test_session_is_known_by_its_payments_id(session_id):
    assert session_id == session_id_of(payment_id(session_id))


def test_payment_ids_of_two_sessions_never_meet():
    ids = ["ps_a", "a", "ps_ps_a", "x_a", "-a", "ps_-a"]

    assert len(ids) == len({payment_id(session_id) for session_id in ids})


def test_capture_counts_once_per_reference():
    made = payment(
        change(CAPTURED, "cap_1", 1, amount=400),
        change(CAPTURED, "cap_1", 2, amount=400),
        change(CAPTURED, "cap_2", 3, amount=600),
    )

    assert 1000 == made.captured_amount
    assert at(1) == made.captured_at


def test_running_total_replaces_what_was_told_before():
    made = payment(
        change(REFUNDED, "ch_1", 1, total=True, amount=300),
        change(REFUNDED, "ch_1", 2, total=True, amount=700),
    )

    assert 700 == made.refunded_amount


def test_refund_told_as_total_and_by_itself_counts_once():
    made = payment(
        change(REFUNDED, "ch_1", 1, total=True, amount=300),
        change(REFUNDED, "re_1", 2, amount=300),
    )

    assert 300 == made.refunded_amount


def test_failed_refund_lowers_the_total_that_it_was_in():
    made = payment(
        change(REFUNDED, "ch_1", 1, total=True, amount=300),
        change(REFUNDED, "re_1", 1, amount=300),
        change(ChangeKind.REFUND_FAILED, "re_1", 5, amount=300),
    )

    assert 0 == made.refunded_amount


def test_total_told_after_a_failure_excludes_it_already():
    made = payment(
        change(ChangeKind.REFUND_FAILED, "re_1", 5, amount=300),
        change(REFUNDED, "ch_1", 6, total=True, amount=200),
    )

    assert 200 == made.refunded_amount


def test_capture_that_failed_later_is_not_captured():
    made = payment(change(CAPTURED, "cap_1", 1), change(ChangeKind.CAPTURE_FAILED, "cap_1", 2))

    assert 0 == made.captured_amount
    assert made.captured_at is None


def test_capture_without_an_amount_takes_the_whole():
    assert 1000 == payment(change(CAPTURED, "cap_1", 1, amount=None)).captured_amount


@pytest.mark.parametrize(
    ("last", "disputed"),
    [(ChangeKind.DISPUTED, 1000), (ChangeKind.DISPUTE_WON, 0), (ChangeKind.DISPUTE_LOST, 1000)],
)
def test_disputed_money_is_that_of_open_and_lost_disputes(last, disputed):
    made = payment(change(ChangeKind.DISPUTED, "dp_1", 1), change(last, "dp_1", 2))

    assert disputed == made.disputed_amount


def test_change_in_another_currency_is_listed_but_not_added_up():
    made = payment(change(ChangeKind.DISPUTED, "dp_1", currency="USD"))

    assert 0 == made.disputed_amount
    assert 1 == len(made.about(Subject.DISPUTE))


def test_void_releases_the_payment_at_its_earliest_telling():
    made = payment(
        change(ChangeKind.VOIDED, "pi_1", 9, event_id="evt_b"),
        change(ChangeKind.VOIDED, "pi_1", 7, event_id="evt_a"),
    )

    assert at(7) == made.canceled_at
