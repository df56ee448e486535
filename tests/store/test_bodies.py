import hashlib

import builders
import pytest
from builders import at

from gateway.domain.errors import StoreRefused
from gateway.store.bodies import Bodies
from gateway.store.deliveries import Entry, Finished
from gateway.store.inbox import NO_ENTRY, Inbox
from gateway.store.keys import DeliveryState
from gateway.store.sealing import Seal, new_key

OLD, NEW = new_key(), new_key()
BODY = b'{"buyer": "ada@example.org"}'


def inbox_of(store, *keys):
    return Inbox(store, 1, Seal(keys))


def kept(inbox, body=BODY, key=b"k", moment=0, state=DeliveryState.APPLIED):
    """A delivery that was worked on."""
    made = builders.delivery(body)
    appended = inbox.append(made, key, secret="s", settled=True)
    entry = Entry(NO_ENTRY, appended.delivery_id)
    (stored,) = inbox.load([appended.delivery_id])
    inbox.finish(0, [Finished(entry, state, at(moment), ("applied",), stored=stored)])
    return appended.delivery_id


def raw(store, delivery_id):
    return store.hgetall(f"delivery:{{0}}:{delivery_id}")


@pytest.mark.parametrize("finished", [False, True])
def test_sealed_body_cannot_be_read_in_the_store_but_by_us(store, finished):
    inbox = inbox_of(store, NEW)
    if finished:
        delivery_id = kept(inbox)
    else:
        made = builders.delivery(BODY)
        delivery_id = inbox.append(made, b"k", secret="s", settled=True).delivery_id

    assert BODY == inbox.load([delivery_id])[0].delivery.body
    assert not [value for value in raw(store, delivery_id).values() if b"ada" in value]


def test_any_of_the_keys_opens_a_body(store):
    delivery_id = kept(inbox_of(store, OLD))

    assert BODY == inbox_of(store, NEW, OLD).load([delivery_id])[0].delivery.body
    with pytest.raises(StoreRefused, match="GATEWAY_BODY_KEYS"):
        inbox_of(store, NEW).load([delivery_id])


@pytest.mark.parametrize("before", [(), (OLD,)])
def test_rotation_leaves_nothing_to_the_old_key(store, before):
    first, second = kept(inbox_of(store, *before)), kept(inbox_of(store, *before), b"x", b"k2")
    waiting = inbox_of(store, *before)
    parked = kept(waiting, b"parked", b"k3", state=DeliveryState.PARKED)
    bodies = Bodies(store, 1, Seal((NEW, *before)))

    assert {first, second, parked} == set(bodies.stored())
    assert 3 == bodies.seal_anew([first, second, parked])
    loaded = inbox_of(store, NEW).load([first, second, parked])
    assert [BODY, b"x", b"parked"] == [stored.delivery.body for stored in loaded]


def test_body_that_is_let_go_of_leaves_its_digest(store):
    inbox = inbox_of(store, NEW)
    delivery_id = kept(inbox)
    bodies = Bodies(store, 1, Seal((NEW,)))

    assert (1, 0) == (bodies.let_go([delivery_id]), bodies.let_go([delivery_id]))
    stored = inbox.load([delivery_id])[0]
    assert (b"", False, ("applied",), "s") == (
        stored.delivery.body,
        stored.has_body,
        stored.notes,
        stored.secret,
    )
    assert hashlib.sha256(BODY).hexdigest() == stored.digest
    assert inbox.append(builders.delivery(BODY), b"k", secret="s", settled=True).new is False


def test_old_bodies_are_let_go_of_in_their_order(store):
    inbox, bodies = inbox_of(store), Bodies(store, 1, Seal())
    ids = [kept(inbox, key=bytes([n]), moment=n // 2) for n in range(10)]

    assert 6 == bodies.let_go_of_old(0, at(2))
    assert 0 == bodies.let_go_of_old(0, at(2))
    assert [False] * 6 + [True] * 4 == [one.has_body for one in inbox.load(ids)]
    assert 4 == bodies.let_go_of_old(0, at(9))
