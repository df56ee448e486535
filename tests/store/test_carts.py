import threading

import builders
import pytest
from builders import at

from gateway.domain.errors import Conflict
from gateway.domain.history import session_created
from gateway.domain.sessions import Record, new_payment
from gateway.store.carts import CLAIM_LASTS, Carts
from gateway.store.clients import worker_client
from gateway.store.sessions import Sessions


@pytest.fixture
def carts(store, sessions):
    return Carts(store, sessions)


def member(session_id="ps_1", **fields):
    return builders.session(session_id, cart_id="cart_1", **fields)


def put(sessions, session):
    sessions.create(Record(session, new_payment(session)), session_created(session, "api:test"))


def test_cart_has_one_session_for_each_provider(carts, sessions):
    carts.claim(member("ps_1"), at(0))
    put(sessions, member("ps_1"))
    carts.claim(member("ps_2", provider_id="adyen"), at(0))

    with pytest.raises(Conflict, match="ps_1"):
        carts.claim(member("ps_3"), at(0))
    assert ["ps_1", "ps_2"] == carts.sessions_of("cart_1")


def test_same_session_may_claim_its_place_again(carts):
    carts.claim(member(), at(0))
    carts.claim(member(), at(1))

    assert ["ps_1"] == carts.sessions_of("cart_1")


def test_what_a_later_version_notes_of_a_cart_is_no_session(carts, store):
    carts.claim(member(), at(0))
    store.hset("cart:{cart_1}", "moon", "full")

    assert ["ps_1"] == carts.sessions_of("cart_1")


def test_session_without_a_cart_claims_nothing(carts):
    for number in range(3):
        carts.claim(builders.session(f"ps_{number}"), at(0))


def test_claim_of_a_dead_process_is_taken_over_in_time(carts):
    carts.claim(member("ps_dead"), at(0))
    with pytest.raises(Conflict):
        carts.claim(member("ps_1"), at(1))

    carts.claim(member("ps_1"), at(1) + CLAIM_LASTS)
    assert ["ps_1"] == carts.sessions_of("cart_1")


def test_place_of_a_session_that_is_gone_is_free(carts, sessions):
    carts.claim(member("ps_old"), at(0))
    put(sessions, member("ps_old", deleted_at=at(1)))

    carts.claim(member("ps_1"), at(2))
    assert ["ps_1"] == carts.sessions_of("cart_1")


def test_refresh_takes_the_place_and_the_selection_away(carts, sessions):
    carts.claim(member("ps_old"), at(0))
    put(sessions, member("ps_old"))
    carts.select(member("ps_old"))
    carts.claim(member("ps_new"), at(1), replaces="ps_old")

    assert ["ps_new"] == carts.sessions_of("cart_1")
    assert [None] == carts.selected(["cart_1"])


def test_left_place_is_free_and_unselected(carts):
    carts.claim(member("ps_1"), at(0))
    carts.select(member("ps_1"))
    carts.leave(member("ps_1"))

    assert [] == carts.sessions_of("cart_1")
    assert [None] == carts.selected(["cart_1"])


def test_place_of_another_is_not_left(carts):
    carts.claim(member("ps_1"), at(0))
    carts.leave(member("ps_2"))

    assert ["ps_1"] == carts.sessions_of("cart_1")


def test_one_session_of_a_cart_is_selected(carts):
    for session_id, provider in (("ps_1", "stripe"), ("ps_2", "adyen")):
        carts.claim(member(session_id, provider_id=provider), at(0))
        carts.select(member(session_id, provider_id=provider))

    assert ["ps_2", None] == carts.selected(["cart_1", "cart_2"])
    assert [] == carts.selected([])


@pytest.mark.parametrize("session", [builders.session(), member("ps_stranger")])
def test_session_without_a_place_cannot_be_selected(carts, session):
    with pytest.raises(Conflict):
        carts.select(session)


def test_snapshot_comes_back(carts):
    assert carts.snapshot("ps_1") is None
    carts.keep_snapshot("ps_1", {"items": [1, {"ü": None}]})
    assert {"items": [1, {"ü": None}]} == carts.snapshot("ps_1")


def together(url, count, work):
    """Runs `work(number, carts, sessions)` in many threads at once; the errors that came out."""
    errors, start = [], threading.Barrier(count)

    def run(number):
        client = worker_client(url)
        sessions = Sessions(client)
        start.wait()
        try:
            work(number, Carts(client, sessions), sessions)
        except Conflict as error:
            errors.append(error)
        client.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_fifty_claims_at_once_give_one_session(valkey, valkey_url):
    def claim(number, carts, sessions):
        carts.claim(member(f"ps_{number}"), at(0))
        put(sessions, member(f"ps_{number}"))

    errors = together(valkey_url, 50, claim)

    assert 49 == len(errors)
    assert 1 == len(Carts(valkey, Sessions(valkey)).sessions_of("cart_1"))
    assert 1 == len(valkey.keys("session:{*}"))


def test_fifty_selections_at_once_give_one_selected(valkey, valkey_url):
    carts = Carts(valkey, Sessions(valkey))
    members = [member(f"ps_{n}", provider_id=f"p{n}") for n in range(50)]
    for one in members:
        carts.claim(one, at(0))

    errors = together(valkey_url, 50, lambda number, carts, _: carts.select(members[number]))

    assert [] == errors
    assert carts.selected(["cart_1"])[0] in {one.id for one in members}
