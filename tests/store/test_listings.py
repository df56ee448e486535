import builders
import pytest
from builders import at

from gateway.domain.errors import InvalidInput
from gateway.domain.events import SessionStatus
from gateway.domain.sessions import Claim, Strength
from gateway.store.listings import Listings, Place
from gateway.store.times import to_micros

PENDING, AUTHORIZED = SessionStatus.PENDING, SessionStatus.AUTHORIZED


@pytest.fixture
def listings(store):
    return Listings(store)


def session(session_id, seconds, status=PENDING, provider_id="stripe"):
    claim = None
    if status is not PENDING:
        claim = Claim(status, Strength.SETTLED, at(seconds), "e", "r")
    return builders.session(
        session_id, updated_at=at(seconds), claim=claim, provider_id=provider_id
    )


def ids(places):
    return [place.session_id for place in places]


def page(listings, providers=("stripe", "adyen"), statuses=SessionStatus, **fields):
    values = {"since": None, "after": None, "count": 10} | fields
    return listings.page(providers, list(statuses), *values.values())


def test_sessions_come_in_the_order_of_their_change(listings):
    listings.state([session("ps_b", 2), session("ps_a", 1, AUTHORIZED), session("ps_c", 3)])

    assert ["ps_a", "ps_b", "ps_c"] == ids(page(listings))
    assert ["ps_b", "ps_c"] == ids(page(listings, statuses=[PENDING]))


def test_session_stands_under_its_present_status_only(listings):
    listings.state([session("ps_a", 1)])
    listings.state([session("ps_a", 5, AUTHORIZED)])

    assert [] == ids(page(listings, statuses=[PENDING]))
    assert [Place(to_micros(at(5)), "ps_a")] == page(listings)


def test_listing_filters_by_provider_and_time(listings):
    listings.state([session("ps_a", 1), session("ps_b", 2, provider_id="adyen")])

    assert ["ps_b"] == ids(page(listings, providers=["adyen"]))
    assert ["ps_b"] == ids(page(listings, since=at(2)))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_give_every_session_once(listings, size):
    """Also those that changed in the same microsecond, on either side of a page's end."""
    made = [
        session(f"ps_{n:02}", n // 4, provider_id=("stripe", "adyen")[n % 2]) for n in range(17)
    ]
    listings.state(made)
    seen, after = [], None
    while True:
        places = page(listings, after=after, count=size)
        if not places:
            break
        seen += ids(places)
        after = Place.of(places[-1].cursor)

    assert [one.id for one in made] == seen


@pytest.mark.parametrize("cursor", ["", "x", "ä", "AAAA", "MTIz!", "bm8gbnVtYmVy"])
def test_strange_cursor_is_refused(cursor):
    with pytest.raises(InvalidInput, match="cursor"):
        Place.of(cursor)


def test_expiry_is_due_at_its_time(listings):
    listings.expect_expiry("ps_a", at(10))
    listings.expect_expiry("ps_b", at(20))

    assert ["ps_a"] == listings.due(at(15), 10)
    listings.forget_expiry(["ps_a"])
    listings.forget_expiry([])
    assert ["ps_b"] == listings.due(at(99), 10)


def test_session_that_changes_in_another_month_stands_there_only(listings):
    """Also if it changed in a month between, and whoever was to list it there was cut off."""
    listings.state([session("ps_a", 1)])
    for days in (40, 400):
        changed = builders.session("ps_a", created_at=at(1), updated_at=at(days * 86400))
        listings.state([changed])

        assert [Place(to_micros(changed.updated_at), "ps_a")] == page(listings)
        assert ["ps_a"] == ids(page(listings, since=changed.updated_at))


def test_pages_go_on_over_months(listings):
    month = 31 * 86400
    listings.state([session(f"ps_{n}", n * month) for n in range(5)])

    first = page(listings, count=3)
    assert ["ps_0", "ps_1", "ps_2"] == ids(first)
    assert ["ps_3", "ps_4"] == ids(page(listings, after=first[-1]))
    assert ["ps_4"] == ids(page(listings, since=at(3 * month + 1)))


def test_no_list_grows_for_ever(store, listings):
    """A month's changes are spread evenly, and what changes later stands elsewhere."""
    listings.state([session(f"ps_{n}", 1) for n in range(1600)])
    listings.state([session(f"ps_{n}", 40 * 86400) for n in range(1600, 3200)])

    sizes = [store.zcard(key) for key in store.scan_iter("sessions:*:stripe:pending")]
    assert 32 == len(sizes)
    assert 3200 == sum(sizes)
    assert max(sizes) < 150
