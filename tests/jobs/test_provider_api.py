from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests
import responses
import toy

from gateway.store.provider_apis import ProviderApis
from jobs import provider_api as module
from jobs.provider_api import Caller, TryLater, retry_after
from providers.contract import ApiAnswer, ApiRequest

URL = f"{toy.API}/certificate?v=1"
OTHER = f"{toy.API}/certificate/other"
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


@pytest.fixture
def api():
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def caller(store):
    with requests.Session() as session:
        yield Caller(session, toy.instance(), ProviderApis(store))


def test_call_is_sent_as_the_adapter_made_it(caller, api):
    api.post(URL, body=b"answer", status=201)
    asked = ApiRequest("POST", URL, (("Authorization", "Bearer x"),), b"a=1")

    assert ApiAnswer(201, b"answer") == caller.ask(asked)
    [call] = api.calls
    assert ("Bearer x", b"a=1") == (call.request.headers["Authorization"], call.request.body)


def test_answer_that_lasts_is_asked_for_once(caller, api):
    api.get(URL, body=b"pem")
    asked = ApiRequest("GET", URL, cache_seconds=60)

    assert [b"pem", b"pem"] == [caller.ask(asked).body for _ in range(2)]
    assert 1 == len(api.calls)


@pytest.mark.parametrize(
    "other",
    [
        ApiRequest("GET", OTHER, cache_seconds=60),
        ApiRequest("GET", URL, (("Authorization", "Bearer y"),), cache_seconds=60),
        ApiRequest("GET", URL),
    ],
)
def test_other_call_gets_no_kept_answer(caller, api, other):
    api.assert_all_requests_are_fired = False
    api.get(URL, body=b"pem")
    api.get(OTHER, body=b"pem")
    caller.ask(ApiRequest("GET", URL, cache_seconds=60))
    caller.ask(other)

    assert 2 == len(api.calls)


def test_refusal_is_not_kept(caller, api):
    api.get(URL, status=404)
    for _ in range(2):
        assert 404 == caller.ask(ApiRequest("GET", URL, cache_seconds=60)).status

    assert 2 == len(api.calls)


def test_development_asks_a_stand_in(store, api):
    instance = replace(toy.instance(), api_base="http://127.0.0.1:9")
    api.get("http://127.0.0.1:9/certificate?v=1", body=b"here")
    with requests.Session() as session:
        caller = Caller(session, instance, ProviderApis(store))

        assert b"here" == caller.ask(ApiRequest("GET", URL)).body


def test_answer_that_trickles_is_cut(caller, api, monkeypatch):
    monkeypatch.setattr(module, "WHOLE_TIMEOUT", -1.0)
    api.get(URL, body=b"x")

    with pytest.raises(TryLater, match="to answer"):
        caller.ask(ApiRequest("GET", URL))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Fri, 20 Nov 2026 14:01:00 GMT", 60.0),
        ("Fri, 20 Nov 2026 13:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    assert seconds == retry_after(value, NOW)


def test_call_that_holds_its_time_is_signed_when_it_is_made(caller, api):
    api.get(URL)
    made = []

    def signed(now):
        made.append(now)
        return (("X-Date", now.isoformat()),)

    before = datetime.now(UTC)
    caller.ask(ApiRequest("GET", URL, (("Accept", "x"),), timed_headers=signed))

    sent = api.calls[0].request.headers
    assert ("x", made[0].isoformat()) == (sent["Accept"], sent["X-Date"])
    assert made[0] >= before
