import json

import pytest
import responses
import toy
from rq import Queue
from rq.serializers import JSONSerializer
from test_drain import create, drain, outcomes, state

from gateway.domain.events import SessionStatus
from gateway.domain.sessions import Outcome
from gateway.store.keys import DeliveryState
from gateway.store.provider_apis import FAILURES
from jobs import settle as module
from jobs.provider_api import CONNECT_TIMEOUT, MAX_ANSWER, WHOLE_TIMEOUT, TryLater
from jobs.queue import JOB_TIMEOUT, SETTLE, SETTLE_INTERVALS, SETTLE_QUEUE
from jobs.settle import MAX_TRIES, Settlement
from jobs.sweep import sweep_all

URL = f"{toy.API}/payments/1"


@pytest.fixture
def api():
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def unsettled(runtime):
    """The id of a delivery that waits for the provider's API."""
    create(runtime)
    delivery_id = toy.keep(runtime, ask=True)
    drain(runtime)
    return delivery_id


def answer(*events):
    return json.dumps({"events": list(events)})


def notes(runtime, delivery_id):
    return runtime.inbox.load([delivery_id])[0].notes


def test_answer_of_the_api_is_applied(runtime, unsettled, api):
    api.get(URL, body=answer(toy.told("e1")))
    Settlement(runtime, unsettled).run()

    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status
    assert {"e1": Outcome.APPLIED} == outcomes(runtime)
    assert DeliveryState.APPLIED is state(runtime, unsettled)
    assert [] == runtime.lists.listed(DeliveryState.UNSETTLED, 10)


def test_settled_delivery_is_not_asked_about_again(runtime, unsettled, api):
    api.get(URL, body=answer(toy.told("e1")))
    Settlement(runtime, unsettled).run()
    Settlement(runtime, unsettled).run()

    assert 1 == len(api.calls)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_api_that_is_out_of_order_is_asked_later(runtime, unsettled, api, status):
    api.get(URL, status=status)
    with pytest.raises(TryLater, match=str(status)):
        Settlement(runtime, unsettled).run()

    assert DeliveryState.UNSETTLED is state(runtime, unsettled)


def test_api_that_cannot_be_reached_is_asked_later(runtime, unsettled, api):
    api.get(URL, body=ConnectionError("refused"))
    with pytest.raises(TryLater, match="cannot be reached"):
        Settlement(runtime, unsettled).run()


def test_endless_answer_is_cut(runtime, unsettled, api):
    api.get(URL, body=b"x" * (MAX_ANSWER + 1))
    with pytest.raises(TryLater, match="more than"):
        Settlement(runtime, unsettled).run()


def test_redirect_is_not_followed(runtime, unsettled, api):
    api.get(URL, status=302, headers={"Location": "https://elsewhere.example"}, body="no")
    Settlement(runtime, unsettled).run()

    assert 1 == len(api.calls)
    assert DeliveryState.DEAD is state(runtime, unsettled)


def test_payment_that_the_provider_does_not_know_is_dead(runtime, unsettled, api):
    api.get(URL, status=404)
    Settlement(runtime, unsettled).run()

    assert DeliveryState.DEAD is state(runtime, unsettled)
    assert ("unknown_payment: the provider does not know it",) == notes(runtime, unsettled)


def test_job_outside_a_worker_gives_up_at_once(runtime, unsettled, api, monkeypatch):
    monkeypatch.setattr(module, "runtime", lambda: runtime)
    api.get(URL, status=503)
    module.settle(unsettled)

    assert DeliveryState.DEAD is state(runtime, unsettled)
    assert "503" in notes(runtime, unsettled)[0]


def test_answer_about_an_unknown_session_parks_the_delivery(runtime, api):
    delivery_id = toy.keep(runtime, ask=True)
    drain(runtime)
    api.get(URL, body=answer(toy.told("e1")))
    Settlement(runtime, delivery_id).run()
    assert DeliveryState.PARKED is state(runtime, delivery_id)

    create(runtime)
    drain(runtime)
    Settlement(runtime, delivery_id).run()

    assert DeliveryState.APPLIED is state(runtime, delivery_id)


def test_api_that_says_when_to_come_back_is_left_alone_until_then(
    runtime, unsettled, api, clock, queued, store
):
    api.get(URL, status=429, headers={"Retry-After": "600"})
    with pytest.raises(TryLater):
        Settlement(runtime, unsettled).run()
    Settlement(runtime, unsettled).run()
    assert 1 == len(api.calls)
    store.delete(*store.keys("rq:*"))  # the job has ended

    clock.advance(seconds=550)
    sweep_all(runtime)
    assert [] == queued()
    clock.advance(seconds=100)
    sweep_all(runtime)
    assert [(SETTLE, unsettled)] == queued()


def test_api_that_fails_again_and_again_rests_for_all_deliveries(runtime, unsettled, api):
    api.get(URL, status=500)
    for _ in range(FAILURES):
        with pytest.raises(TryLater):
            Settlement(runtime, unsettled).run()
    Settlement(runtime, unsettled).run()

    assert FAILURES == len(api.calls)
    assert DeliveryState.UNSETTLED is state(runtime, unsettled)


def test_one_account_that_rests_does_not_hold_up_another(runtime, unsettled, api):
    runtime.provider_apis.let_rest("toy-eu", 60)
    api.get(URL, body=answer(toy.told("e1")))
    Settlement(runtime, unsettled).run()

    assert DeliveryState.APPLIED is state(runtime, unsettled)


def test_waiting_for_an_api_renews_no_retries(runtime, unsettled, api, store, clock):
    api.get(URL, status=500)
    for _ in range(3):
        with pytest.raises(TryLater):
            Settlement(runtime, unsettled).run()
    runtime.provider_apis.let_rest("toy", 30)
    Settlement(runtime, unsettled).run()
    store.delete(*store.keys("rq:*"))
    clock.advance(seconds=33)
    sweep_all(runtime)

    (job,) = Queue(SETTLE_QUEUE, connection=store, serializer=JSONSerializer).jobs
    assert SETTLE_INTERVALS[3:] == job.retry_intervals


def test_settlement_that_kills_its_workers_is_given_up(runtime, unsettled, api):
    for _ in range(MAX_TRIES):
        runtime.inbox.count_try(unsettled)
    Settlement(runtime, unsettled).run()

    assert 0 == len(api.calls)
    assert DeliveryState.DEAD is state(runtime, unsettled)
    assert ("given up after 15 tries: the worker died of it",) == notes(runtime, unsettled)


def test_adapter_that_fails_on_an_answer_makes_a_dead_letter(runtime, unsettled, api, monkeypatch):
    monkeypatch.setattr(module, "runtime", lambda: runtime)
    api.get(URL, body='{"events": "crash"}')
    module.settle(unsettled)

    assert DeliveryState.DEAD is state(runtime, unsettled)
    assert "RuntimeError at toy.py:" in notes(runtime, unsettled)[0]


def test_all_that_is_asked_fits_into_a_job():
    assert JOB_TIMEOUT > WHOLE_TIMEOUT + CONNECT_TIMEOUT
