import signal
from dataclasses import replace
from datetime import timedelta

import pytest
import toy
from rq import Queue, SimpleWorker
from rq.job import JobStatus
from rq.serializers import JSONSerializer
from test_drain import create

from gateway.domain.events import SessionStatus
from jobs import drain as drain_module
from jobs import worker as worker_module
from jobs.queue import DRAIN, QUEUE
from jobs.runtime import stopping
from jobs.worker import AllowedQueue, GatewayWorker, main, wake_what_waits


@pytest.fixture(params=["fake", "valkey"])
def store(request):
    """RQ knows no cluster."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def work(store, runtime, monkeypatch):
    """Runs all waiting jobs, as `worker_class` does it."""
    monkeypatch.setattr(drain_module, "runtime", lambda: runtime)
    monkeypatch.setattr(drain_module, "LINGER", timedelta(0))
    monkeypatch.setattr(SimpleWorker, "_install_signal_handlers", lambda self: None)

    def run(worker_class=GatewayWorker, queue_class=AllowedQueue):
        queue = queue_class(QUEUE, connection=store, serializer=JSONSerializer)
        worker = worker_class([queue], connection=store, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="ERROR")

    return run


@pytest.mark.parametrize(
    ("worker_class", "queue_class"), [(GatewayWorker, AllowedQueue), (SimpleWorker, Queue)]
)
def test_worker_runs_the_drain_that_an_arrival_asked_for(runtime, work, worker_class, queue_class):
    create(runtime)
    toy.keep(runtime, toy.told("e1"))
    runtime.queue.wake(0)
    work(worker_class, queue_class)

    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status


@pytest.mark.parametrize("function", ["os.getcwd", "jobs.drain.drain.__call__", "builtins.print"])
def test_planted_job_for_another_function_fails_harmlessly(store, work, function):
    queue = Queue(QUEUE, connection=store, serializer=JSONSerializer)
    job = queue.enqueue(function)
    work()

    job.refresh()
    assert JobStatus.FAILED is job.get_status()
    assert "no job of the gateway" in job.latest_result().exc_string


def test_planted_pickle_is_not_loaded(store, work):
    """RQ's default serializer runs code on loading: our workers read JSON only."""
    queue = Queue(QUEUE, connection=store)
    job = queue.enqueue("os.getcwd")
    work()

    assert JobStatus.FAILED is job.get_status(refresh=True)


def test_worker_finds_a_dead_colleagues_job_in_seconds(store):
    queue = AllowedQueue(QUEUE, connection=store, serializer=JSONSerializer)
    worker = GatewayWorker([queue], connection=store)

    assert worker.dequeue_timeout <= 15
    assert worker.maintenance_interval <= 10


def test_worker_that_is_asked_to_stop_tells_its_job(store):

    queue = AllowedQueue(QUEUE, connection=store, serializer=JSONSerializer)
    worker = GatewayWorker([queue], connection=store)
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(BaseException):  # noqa: B017, PT011 - RQ's own StopRequested
            worker.request_stop(signal.SIGTERM, None)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert stopping.is_set()


def test_worker_whose_loop_ends_unasked_begins_anew(valkey, valkey_url, clock, monkeypatch):
    """RQ ends its loop without a word if the store goes away while a job ends."""
    rounds = []

    def ends(self, **options):
        rounds.append(self.name)
        if len(rounds) == 2:
            stopping.set()

    monkeypatch.setattr(worker_module, "runtime", lambda: toy.runtime(valkey, clock))
    monkeypatch.setattr(SimpleWorker, "work", ends)
    worker_module.work(replace(toy.settings(), queue_url=valkey_url), QUEUE)

    assert 2 == len(set(rounds))


def test_worker_knows_two_queues_and_no_other(capsys):
    assert 2 == main(["all"])
    assert "usage: python -m jobs.worker [settle]\n" == capsys.readouterr().err


def test_worker_that_starts_wakes_what_a_dead_one_left(runtime, queued):
    wake_what_waits(runtime)
    assert [] == queued()

    toy.keep(runtime, toy.told("e1"))
    wake_what_waits(runtime)
    assert [(DRAIN, 0)] == queued()
