"""The promise of the fold: whatever order, however often, the same session and payment."""

import builders
from builders import at
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.events import ChangeKind, PaymentChange, SessionStatus
from gateway.domain.sessions import Record, apply

SECONDS = st.integers(0, 5)
# Weighted so that most facts have an effect: what is refused has little to say.
AMOUNTS = st.sampled_from([1000, 1000, 1000, None, 1500, 300, 999, 0])
CURRENCIES = st.sampled_from(["EUR", "EUR", "EUR", None, "USD"])
PROVIDERS = st.sampled_from(["stripe"] * 7 + ["adyen"])
STATUSES = st.sampled_from([*SessionStatus, *[SessionStatus.AUTHORIZED] * 3, None, None, None])
CHANGES = st.builds(
    PaymentChange,
    kind=st.sampled_from(ChangeKind),
    reference=st.sampled_from(["a", "b"]),
    running_total=st.booleans(),
)


@st.composite
def facts(draw):
    """Distinct facts: the same event id always tells the same."""
    drawn = draw(
        st.lists(
            st.tuples(
                SECONDS,
                AMOUNTS,
                CURRENCIES,
                PROVIDERS,
                STATUSES,
                st.none() | CHANGES,
            ),
            max_size=7,
        )
    )
    return [
        builders.event(
            f"evt_{number}",
            occurred_at=at(seconds),
            amount=amount,
            currency=currency,
            provider_id=provider,
            session_status=status,
            payment_change=change,
        )
        for number, (seconds, amount, currency, provider, status, change) in enumerate(drawn)
    ]


@st.composite
def tellings(draw):
    """Facts, and another telling of them: in any order, some of them repeated."""
    told = draw(facts())
    repeated = told + (draw(st.lists(st.sampled_from(told), max_size=5)) if told else [])
    return told, draw(st.permutations(repeated))


def fold(events) -> Record:
    record, known = builders.record(), set()
    for event in events:
        record, _ = apply(record, event, known=event.event_id in known)
        known.add(event.event_id)
    return record


@given(tellings())
def test_any_order_and_repetition_ends_in_the_same_record(told):
    once, again = told

    assert fold(once) == fold(again)


@given(facts())
def test_authorization_time_never_moves_later_and_never_clears(events):
    record, stamps = builders.record(), []
    for event in events:
        record, _ = apply(record, event, known=False)
        stamps.append(record.session.payment_authorized_at)

    known = [stamp for stamp in stamps if stamp is not None]
    assert known == sorted(known, reverse=True)
    assert [None] * (len(stamps) - len(known)) + known == stamps


@given(facts())
def test_payment_is_authorized_exactly_when_its_session_was(events):
    record = fold(events)

    assert record.session.payment_authorized_at == record.payment.authorized_at


@given(facts())
def test_sums_are_never_negative(events):
    payment = fold(events).payment

    assert min(payment.captured_amount, payment.refunded_amount, payment.disputed_amount) >= 0


@given(facts(), st.integers(0, 7))
def test_applying_part_of_the_facts_twice_is_applying_them_once(events, cut):
    """A drain that died after its commit applies its batch again."""
    assert fold(events) == fold(events[:cut] + events)
