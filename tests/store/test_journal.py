import builders
import pytest
from builders import at

from gateway.domain.errors import Cause, Rejected
from gateway.store.journal import MAX_BODY, MAX_ENTRIES, MAX_HEADERS, Journal


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
        rejection.received_at,
        rejection.remote_addr,
        rejection.body,
    )
    assert (("Content-Type", "application/json"),) == rejection.headers


def test_newest_comes_first_and_instances_are_apart(journal):
    for body in (b"1", b"2", b"3"):
        journal.record(builders.delivery(body), Rejected(Cause.MALFORMED))
    journal.record(builders.delivery(b"x", provider_id="adyen"), Rejected(Cause.MALFORMED))

    assert [b"3", b"2"] == [rejection.body for rejection in journal.latest("stripe", 2)]


def test_journal_is_bounded_in_bytes(journal):
    headers = (("X-Big", "h" * MAX_HEADERS),)
    journal.record(builders.delivery(b"b" * 10**6, headers=headers), Rejected(Cause.MALFORMED))

    [rejection] = journal.latest("stripe", 1)

    assert MAX_BODY == len(rejection.body)
    assert () == rejection.headers


def test_journal_is_bounded_in_number(journal, store):
    for _ in range(MAX_ENTRIES + 300):
        journal.record(builders.delivery(), Rejected(Cause.MALFORMED))

    assert store.xlen("rejected:{stripe}") <= MAX_ENTRIES + 200
