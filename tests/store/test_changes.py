import threading
import time

import builders
import pytest

from gateway.domain.history import session_created
from gateway.domain.sessions import Record, new_payment
from gateway.store import keys
from gateway.store.changes import Changes
from gateway.store.clients import listening_client
from gateway.store.sessions import Sessions

SOON = 20


@pytest.fixture
def changes(valkey_url):
    client = listening_client(valkey_url)
    made = Changes(client)
    yield made
    made.close()
    client.close()


def listening(valkey):
    """Waits until the subscription stands."""
    end = time.monotonic() + SOON
    while valkey.pubsub_numsub(keys.CHANGES)[0][1] == 0:
        assert time.monotonic() < end
        time.sleep(0.01)


def create(valkey, session_id):
    session = builders.session(session_id)
    record = Record(session, new_payment(session))
    Sessions(valkey).create(record, session_created(session, "api:test"))


def test_waiter_hears_of_its_session_and_not_of_others(changes, valkey):
    with changes.listen("ps_1") as mine, changes.listen("ps_2") as other:
        listening(valkey)
        time.sleep(0.1)
        mine.wait(0)
        other.wait(0)
        create(valkey, "ps_1")

        assert mine.wait(SOON)
        assert not other.wait(0)


def test_hundreds_hear_through_one_subscription(changes, valkey):
    heard, ready = [], threading.Barrier(201)

    def wait():
        with changes.listen("ps_1") as changed:
            ready.wait()
            ready.wait()
            heard.append(changed.wait(SOON))

    threads = [threading.Thread(target=wait) for _ in range(200)]
    for thread in threads:
        thread.start()
    ready.wait()
    listening(valkey)
    assert 1 == valkey.pubsub_numsub(keys.CHANGES)[0][1]
    ready.wait()
    create(valkey, "ps_1")
    for thread in threads:
        thread.join()

    assert [True] * 200 == heard


def test_lost_subscription_is_made_anew_and_everybody_looks_again(changes, valkey):
    with changes.listen("ps_1") as changed:
        listening(valkey)
        time.sleep(0.1)
        changed.wait(0)
        valkey.client_kill_filter(_type="pubsub")

        assert changed.wait(SOON)
        listening(valkey)
        time.sleep(0.1)
        changed.wait(0)
        create(valkey, "ps_1")
        assert changed.wait(SOON)


def test_waiter_that_left_is_forgotten(changes):
    with changes.listen("ps_1"):
        pass

    assert {} == changes._waiting  # noqa: SLF001 - it must not grow, and nothing else shows it


def test_closing_lets_everybody_go(changes, valkey):
    with changes.listen("ps_1") as changed:
        listening(valkey)
        changed.wait(0)
        changes.close()

        assert changed.wait(0)
