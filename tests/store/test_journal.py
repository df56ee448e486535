import json

import builders
import pytest
from builders import at

from gateway.domain.errors import Cause, NotFound, Rejected, StoreRefused
from gateway.store import journal as module
from gateway.store.journal import MAX_BODY, MAX_ENTRIES, MAX_HEADERS, Journal
from providers.diagnosis import Diagnosis


@pytest.fixture
def journal(store):
    return Journal(store)


def test_rejection_comes_back_with_its_cause(journal):
    journal.record(
        builders.delivery(b"body", remote_addr="10.1.1.1", received_at=at(5)),
        Rejected(Cause.BAD_SIGNATURE, "why"),
    )

    [rejection] = journal.latest("stripe", 10)

    assert Cause.BAD_SIGNATURE is rejection.cause
    assert ("why", at(5), "10.1.1.1", b"body") == (
        rejection.detail,
        rejection.delivery.received_at,
        rejection.delivery.remote_addr,
        rejection.delivery.body,
    )
    assert (("Content-Type", "application/json"),) == rejection.delivery.headers
    assert rejection == journal.get("stripe", rejection.id)


def test_newest_comes_first_and_instances_are_apart(journal):
    for body in (b"1", b"2", b"3"):
        journal.record(builders.delivery(body), Rejected(Cause.MALFORMED))
    journal.record(builders.delivery(b"x", provider_id="adyen"), Rejected(Cause.MALFORMED))

    assert [b"3", b"2"] == [rejection.delivery.body for rejection in journal.latest("stripe", 2)]


def test_older_ones_follow_page_by_page(journal):
    ids = [journal.record(builders.delivery(), Rejected(Cause.MALFORMED)) for _ in range(3)]

    assert [ids[2], ids[1]] == [one.id for one in journal.latest("stripe", 2)]
    assert [ids[0]] == [one.id for one in journal.latest("stripe", 2, before=ids[1])]


def test_long_request_is_cut(journal):
    headers = (("X-Big", "h" * MAX_HEADERS),)
    journal.record(builders.delivery(b"b" * 10**6, headers=headers), Rejected(Cause.MALFORMED))

    [rejection] = journal.latest("stripe", 1)

    assert MAX_BODY == len(rejection.delivery.body)
    assert () == rejection.delivery.headers
    assert not rejection.whole


def test_diagnosis_and_what_was_passed_over_are_kept(journal):
    found = Diagnosis(secrets=("webhook_secrets[0]",), clock_skew=-7, advice="see clocks")
    journal.record(builders.delivery(), Rejected(Cause.STALE_TIMESTAMP), found, passed_over=12)

    [rejection] = journal.latest("stripe", 1)

    assert (found, 12) == (rejection.diagnosis, rejection.passed_over)


def test_journal_is_bounded_in_number(journal, store):
    for _ in range(MAX_ENTRIES + 30):
        journal.record(builders.delivery(), Rejected(Cause.MALFORMED))

    assert MAX_ENTRIES == store.xlen("rejected:{stripe}")


def test_journal_is_bounded_in_bytes(journal, store, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 50_000)
    first = journal.record(builders.delivery(b"first"), Rejected(Cause.MALFORMED))
    for _ in range(20):
        journal.record(builders.delivery(b"b" * 9000), Rejected(Cause.MALFORMED))

    assert 5 == store.xlen("rejected:{stripe}")
    assert 45_000 < int(store.get("rejected:{stripe}:bytes")) <= 50_000
    with pytest.raises(NotFound):
        journal.get("stripe", first)


def test_request_that_became_a_delivery_says_so(journal):
    entry_id = journal.record(builders.delivery(), Rejected(Cause.BAD_SIGNATURE))
    journal.keep(journal.get("stripe", entry_id), "dlv_1")

    assert "dlv_1" == journal.get("stripe", entry_id).kept_as


@pytest.mark.parametrize("odd", ["", "x", "1-", "*", "1-1-1", "+", "0-0", "9" * 20 + "-1"])
def test_odd_id_is_not_found(journal, odd):
    journal.record(builders.delivery(), Rejected(Cause.BAD_SIGNATURE))
    with pytest.raises(NotFound):
        journal.get("stripe", odd)
    assert [] == journal.latest("stripe", 9, before=odd or "0-0")


def write(store, journal, **meta):
    """An entry as another version would write it, in the place of one of ours."""
    at = journal.record(builders.delivery(), Rejected(Cause.MALFORMED), Diagnosis(clock_skew=7))
    [(_, raw)] = store.xrange("rejected:{stripe}", at, at)
    raw[b"meta"] = json.dumps(json.loads(raw[b"meta"]) | meta)
    store.delete("rejected:{stripe}")
    store.xadd("rejected:{stripe}", raw)


def test_what_a_later_version_adds_is_left_out(journal, store):
    write(store, journal, diagnosis={"clock_skew": 7, "moon": "full"}, moon="full")

    [rejection] = journal.latest("stripe", 1)
    assert Diagnosis(clock_skew=7) == rejection.diagnosis


def test_entry_that_only_a_later_version_understands_is_refused(journal, store):
    write(store, journal, cause="moon")

    with pytest.raises(StoreRefused, match="later version"):
        journal.latest("stripe", 1)
