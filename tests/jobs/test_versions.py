"""Two versions of the gateway over one store, as there are during a deploy."""

import json
from datetime import timedelta

import builders
import pytest
import toy

from gateway.domain.actions import Actor, cancel
from gateway.domain.errors import StoreRefused
from gateway.domain.events import SessionStatus
from gateway.domain.history import session_created
from gateway.store import keys, records, scripts
from gateway.store.keys import DeliveryState
from jobs.acts import act
from jobs.drain import Drain

ADDED = ["a field of the next version", {"with": "more in it"}]
FIELDS = 20


@pytest.fixture
def newer(runtime, store):
    """Has the next version write a session's record: with fields at its end, or in a new form."""
    record = builders.record("ps_1", provider_id="toy")
    runtime.sessions.create(record, session_created(record.session, "api:test"))

    def write(form=1, added=ADDED):
        where = keys.session("ps_1")
        _, *values = json.loads(store.hget(where, "record"))
        values = (values + [None] * FIELDS)[: FIELDS - 1]
        store.hset(where, "record", json.dumps([form, *values, *added]))
        return lambda: json.loads(store.hget(where, "record"))[FIELDS:]

    return write


def drain(runtime):
    Drain(runtime, 0).run(linger=timedelta(0))


def test_older_worker_leaves_alone_what_a_newer_version_added(runtime, newer):
    added = newer()
    toy.keep(runtime, toy.told("e1"))
    drain(runtime)

    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status
    assert ADDED == added()


def test_older_api_leaves_alone_what_a_newer_version_added(runtime, newer):
    added = newer()
    act(runtime, "ps_1", lambda record: cancel(record, Actor("api:test", builders.at(5))))

    assert SessionStatus.CANCELED is runtime.sessions.get("ps_1").status
    assert ADDED == added()


def test_record_in_a_newer_form_is_left_to_the_newer_version(runtime, newer):
    newer(form=2)
    with pytest.raises(StoreRefused, match="bring this process up to date"):
        runtime.sessions.get("ps_1")
    delivery_id = toy.keep(runtime, toy.told("e1"))
    other = builders.record("ps_2", provider_id="toy")
    runtime.sessions.create(other, session_created(other.session, "api:test"))
    toy.keep(runtime, toy.told("e2", "ps_2"))
    drain(runtime)

    # It waits for a worker that can read it, and says why; the others go on.
    (stored,) = runtime.inbox.load([delivery_id])
    assert (DeliveryState.RECEIVED, 1) == (stored.state, runtime.inbox.backlog(0))
    assert "later version" in stored.failure
    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_2").status


def test_word_that_only_a_newer_version_knows_is_refused():
    values = ["stripe", "t", "a new outcome", "pending", "pending", 0, 0, 0]
    with pytest.raises(StoreRefused, match="later version"):
        records.decode_decision(b"stripe:e1", json.dumps(values).encode())


def test_two_versions_of_the_function_library_stand_side_by_side(store, monkeypatch):
    code, _ = scripts._source()  # noqa: SLF001 - a next version has other code
    names = []
    for digest in ("0" * 12, "1" * 12):
        scripts.name.cache_clear()
        monkeypatch.setattr(scripts, "_source", lambda digest=digest: (code, digest))
        scripts.load(store)
        names.append(scripts.name("annotate"))
    scripts.name.cache_clear()

    assert [0, 0] == [store.fcall(name, 1, "nothing", "field", "value") for name in names]
    assert 2 == len(set(names))
