import threading
import time
from dataclasses import replace

import pytest
from test_sessions import authorize

from gateway.store.changes import Changes
from gateway.store.clients import listening_client, worker_client
from gateway.store.tokens import Scope, Token, digest_of
from gateway.web.app import create_app

HEADERS = {"Authorization": "Bearer all"}


@pytest.fixture
def live(valkey_url, valkey, make_services):
    """An app over a real store, whose subscription blocks as in life."""
    client, listener = worker_client(valkey_url), listening_client(valkey_url)
    changes = Changes(listener)
    services = replace(make_services(client), changes=changes)
    services.tokens.add(Token("all", frozenset(Scope), digest_of("all"), services.runtime.clock()))
    yield services
    changes.close()
    listener.close()
    client.close()


@pytest.fixture
def http(live):
    client = create_app(live).test_client()
    new = {"id": "ps_1", "provider_id": "toy", "amount": 1000, "currency_code": "EUR"}
    client.post("/sessions", json=new, headers=HEADERS)
    return client


def known(tag):
    return {**HEADERS, "If-None-Match": tag}


def test_wait_ends_with_the_change(http, live):
    threading.Timer(0.3, authorize, (live, "ps_1")).start()

    answer = http.get("/sessions/ps_1?wait=30", headers=known('"1"'))

    assert (200, "authorized") == (answer.status_code, answer.json["status"])


def test_wait_without_a_change_is_304_after_its_time(http):
    began = time.monotonic()
    answer = http.get("/sessions/ps_1?wait=0.3", headers=known('"1"'))

    assert 304 == answer.status_code
    assert time.monotonic() - began >= 0.3


def test_wait_for_what_has_changed_already_does_not_wait(http):
    assert 200 == http.get("/sessions/ps_1?wait=30", headers=known('"9"')).status_code
    assert 200 == http.get("/sessions/ps_1?wait=30", headers=HEADERS).status_code


@pytest.mark.parametrize("wait", ["31", "-1", "x", "nan", "inf"])
def test_strange_wait_is_refused(http, wait):
    assert 422 == http.get(f"/sessions/ps_1?wait={wait}", headers=known('"1"')).status_code


def test_stream_tells_the_session_now_and_at_each_change(http, live):
    answer = http.get("/sessions/ps_1/stream", headers=HEADERS, buffered=False)
    events = answer.iter_encoded()
    first = next(events).decode()
    threading.Timer(0.3, authorize, (live, "ps_1")).start()
    second = next(events).decode()
    answer.close()

    assert "text/event-stream" == answer.content_type
    assert first.startswith("id: 1\nevent: session\ndata: {")
    assert "id: 2\n" in second
    assert '"status": "authorized"' in second


def test_stream_goes_on_after_the_last_event_that_was_seen(http, live):
    threading.Timer(0.3, authorize, (live, "ps_1")).start()
    headers = {**HEADERS, "Last-Event-ID": "1"}
    answer = http.get("/sessions/ps_1/stream", headers=headers, buffered=False)
    first = next(answer.iter_encoded()).decode()
    answer.close()

    assert first.startswith("id: 2\n")
