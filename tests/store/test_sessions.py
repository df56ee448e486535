import threading
from dataclasses import replace

import builders
import fakeredis
import pytest
from builders import at, change, status
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.events import ChangeKind, SessionStatus
from gateway.domain.history import Decision
from gateway.domain.sessions import Outcome, Record, apply, end_by_us
from gateway.store import keys
from gateway.store.sessions import Commit, Found, Lookup, Sessions

AUTHORIZED = status(SessionStatus.AUTHORIZED, 1.5)


def decision(event_id="evt_1", source="stripe", **fields):
    values = {
        "source": source,
        "event_id": event_id,
        "type": "t",
        "outcome": Outcome.APPLIED,
        "before": SessionStatus.PENDING,
        "after": SessionStatus.AUTHORIZED,
        "occurred_at": at(1),
        "received_at": at(2),
        "decided_at": at(3),
    }
    return Decision(**(values | fields))


def create(sessions, **fields):
    record = builders.record(**fields)
    sessions.create(record, decision("created", source="api:test"))
    return record


def moved(record, event=AUTHORIZED):
    after, _ = apply(record, event, known=False)
    version = record.session.version + 1
    return replace(after, session=replace(after.session, version=version))


def load_one(sessions, session_id="ps_1", asked=()):
    return sessions.load([(session_id, asked)])[0]


def test_session_comes_back_as_it_was_written(sessions):
    data = {"id": "pi_9", "nested": {"ü": [1, None, True]}}
    record = create(sessions, data=data, cart_id="cart_1", is_initiated=True)

    assert record.session == sessions.get("ps_1")
    assert record == load_one(sessions).record


def test_authorized_record_comes_back_as_it_was_written(sessions):
    record = create(sessions)
    after = moved(moved(record), change(ChangeKind.REFUNDED, "re_1", 2, amount=300))
    after = replace(after, session=end_by_us(after.session, reason="canceled", at=at(7)))
    sessions.commit([Commit(record, after, ())])

    assert after == load_one(sessions).record


def test_missing_session_is_not_found(sessions):
    with pytest.raises(NotFound, match="ps_9"):
        sessions.get("ps_9")
    with pytest.raises(NotFound):
        sessions.glance("ps_9")
    assert load_one(sessions, "ps_9") is None


def test_taken_id_is_a_conflict_and_changes_nothing(sessions):
    record = create(sessions)
    with pytest.raises(Conflict, match="ps_1"):
        create(sessions, amount=5, idempotency_key="other")

    assert record.session == sessions.get("ps_1")


def test_peek_tells_version_and_cart(sessions):
    create(sessions, cart_id="cart_1")
    create(sessions, session_id="ps_2")

    one, two = sessions.glance("ps_1"), sessions.glance("ps_2")
    assert (1, "cart_1", sessions.get("ps_1")) == (one.version, one.cart_id, one.read())
    assert (1, None) == (two.version, two.cart_id)


def test_commit_on_an_older_version_is_refused(sessions):
    record = create(sessions)
    first = moved(record)
    rival = moved(record, status(SessionStatus.ERROR, 1))

    assert [True] == sessions.commit([Commit(record, first, (decision("a"),))])
    assert [False] == sessions.commit([Commit(record, rival, (decision("b"),))])
    assert first == load_one(sessions).record
    assert ["created", "a"] == [d.event_id for d in sessions.history("ps_1")]


def test_commit_of_history_only_needs_no_version(sessions):
    record = create(sessions)
    sessions.commit([Commit(record, moved(record), ())])

    assert [True] == sessions.commit([Commit(record, record, (decision("late"),))])
    assert "late" in [d.event_id for d in sessions.history("ps_1")]


def test_commit_tells_who_listens(sessions, store):
    record = create(sessions)
    listener = store.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("session-changes")
    listener.get_message(timeout=1)
    sessions.commit([Commit(record, moved(record), ())])

    message = listener.get_message(timeout=5)
    listener.close()
    assert b"ps_1 2" == message["data"]


def test_load_tells_which_decisions_are_known(sessions):
    record = create(sessions)
    known = decision("evt_1")
    sessions.commit([Commit(record, moved(record), (known,))])

    asked = [known.key, decision("evt_1", source="adyen").key]
    assert {known.key} == load_one(sessions, asked=asked).known


def test_history_keeps_every_field(sessions):
    record = create(sessions)
    told = decision(
        "evt_2", delivery_id="dlv", change=ChangeKind.REFUNDED, amount=3, currency="EUR", detail="ü"
    )
    sessions.commit([Commit(record, record, (told,))])

    assert told in sessions.history("ps_1")


def test_writing_a_decision_twice_changes_nothing(sessions):
    record = create(sessions)
    for _ in range(2):
        sessions.commit([Commit(record, record, (decision("evt_2"),))])

    assert 2 == len(sessions.history("ps_1"))


def test_session_is_found_by_its_payment_or_its_reference(sessions):
    create(sessions, data={"id": "pi_1"})

    lookups = [
        Lookup("stripe", "pi_1", None),
        Lookup("stripe", "pi_2", "ps_1"),
        Lookup("stripe", None, "ps_1"),
        Lookup("adyen", "pi_1", None),
        Lookup("stripe", None, None),
        Lookup("stripe", None, "no such } id"),
    ]
    expected = [
        Found("ps_1", learn=False),
        Found("ps_1", learn=True),
        Found("ps_1", learn=False),
        None,
        None,
        None,
    ]
    assert expected == sessions.find(lookups)


def test_payment_weighs_more_than_the_reference(sessions):
    create(sessions, session_id="ps_a", data={"id": "pi_1"})
    create(sessions, session_id="ps_b")

    assert [Found("ps_a", learn=False)] == sessions.find([Lookup("stripe", "pi_1", "ps_b")])


def test_learning_keeps_what_is_known(sessions):
    sessions.learn([("stripe", "pi_1", "ps_a")])
    sessions.learn([("stripe", "pi_1", "ps_b")])

    assert [Found("ps_a", learn=False)] == sessions.find([Lookup("stripe", "pi_1", None)])


def test_parked_delivery_waits_under_all_its_ids(sessions):
    sessions.park("dlv_a", [Lookup("stripe", "pi_1", "ps_1")])
    sessions.park("dlv_b", [Lookup("stripe", None, "ps_1")])

    assert ["dlv_a", "dlv_b"] == sessions.waiting_for(Lookup("stripe", None, "ps_1"))
    assert ["dlv_a"] == sessions.waiting_for(Lookup("stripe", "pi_1", None))
    assert [] == sessions.waiting_for(Lookup("adyen", "pi_1", "ps_1"))


def test_who_is_never_unparked_is_forgotten_in_the_end(sessions, store):
    sessions.park("dlv_a", [Lookup("stripe", "pi_1", "ps_1")])

    thirty_days = 30 * 24 * 3600
    for name in ("pi_1", "ps_1"):
        assert store.ttl(keys.parked("stripe", name)) > thirty_days


def test_unparked_delivery_waits_no_longer(sessions):
    lookup = Lookup("stripe", "pi_1", "ps_1")
    sessions.park("dlv_a", [lookup])
    sessions.unpark(lookup, ["dlv_a"])

    assert [] == sessions.waiting_for(lookup)


def test_concurrent_commits_lose_none(valkey):
    """Fifty writers on one session: each reads, decides and writes until it is let through."""
    sessions = Sessions(valkey)
    create(sessions)
    refunds = [change(ChangeKind.REFUNDED, f"re_{n}", n, amount=1) for n in range(50)]

    def write(event):
        while True:
            record = load_one(sessions).record
            if sessions.commit([Commit(record, moved(record, event), ())]) == [True]:
                return

    threads = [threading.Thread(target=write, args=(event,)) for event in refunds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 50 == load_one(sessions).record.payment.refunded_amount
    assert 51 == sessions.get("ps_1").version


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_data_survives_the_store(data):

    client = fakeredis.FakeRedis(server=fakeredis.FakeServer(server_type="valkey"))
    sessions = Sessions(client)
    made = builders.session(data=data)
    sessions.create(Record(made, builders.record().payment), decision())

    assert data == sessions.get("ps_1").data
    client.close()
