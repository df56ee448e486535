import pytest

from gateway.web import journaling as module
from gateway.web.journaling import journal_gate

PER_ADDRESS, PER_INSTANCE = 20, 5


def admitted(gate, count, address=lambda number: "192.0.2.1", seconds=lambda number: 0.0):
    answers = [gate.admit("toy", address(n), seconds(n)) for n in range(count)]
    return [answer for answer in answers if answer is not None]


def test_quiet_sender_is_always_written_down():
    assert [0] * 50 == admitted(journal_gate(), 50, seconds=lambda n: n * 10.0)


def test_loud_address_is_passed_over_until_its_minute_is_over():
    gate = journal_gate()
    assert PER_ADDRESS == len(admitted(gate, 200, seconds=lambda n: n * 0.25))

    assert 200 - PER_ADDRESS == gate.admit("toy", "192.0.2.1", 100.0)


def test_flood_from_many_addresses_is_passed_over_too():
    gate = journal_gate()
    assert PER_INSTANCE == len(admitted(gate, 1000, address=lambda n: f"192.0.2.{n % 250}"))

    assert 1000 - PER_INSTANCE == gate.admit("toy", "198.51.100.1", 2.0)


def test_addresses_of_one_network_count_as_one():
    found = admitted(
        journal_gate(), 100, address=lambda n: f"2001:db8::{n:x}", seconds=lambda n: n * 0.5
    )
    assert PER_ADDRESS == len(found)


def test_instances_do_not_share_what_is_written_down():
    gate = journal_gate()
    admitted(gate, 1000)

    assert 0 == gate.admit("other", "192.0.2.1", 0.0)


@pytest.mark.parametrize("address", ["", "unix:", "not an address", "fe80::1%eth0"])
def test_odd_address_is_an_address_too(address):
    assert [0] == admitted(journal_gate(), 1, address=lambda n: address)


def test_number_of_remembered_addresses_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MAX_ADDRESSES", 10)
    gate = journal_gate()
    admitted(gate, 500, seconds=lambda n: n * 0.01)
    admitted(gate, 10, address=lambda n: f"10.0.0.{n}", seconds=lambda n: 20.0 + n)

    assert gate.admit("toy", "192.0.2.1", 31.0) is not None, "it was forgotten"
