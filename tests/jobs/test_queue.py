from importlib import import_module

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue
from rq.serializers import JSONSerializer

from gateway.store.clients import edge_client
from jobs.queue import ALLOWED, DRAIN, SETTLE, JobQueue


def test_every_allowed_job_exists():

    for path in ALLOWED:
        module, _, name = path.rpartition(".")
        assert callable(getattr(import_module(module), name))


def test_jobs_carry_ids_only_and_are_retried(store, queued):

    queue = JobQueue(store)
    queue.wake(3)
    queue.settle("dlv_x")

    assert [(DRAIN, 3), (SETTLE, "dlv_x")] == queued()
    names = ("gateway", "gateway-settle")
    queues = [Queue(name, connection=store, serializer=JSONSerializer) for name in names]
    assert [1, 1] == [len(queue.jobs) for queue in queues]
    assert all(job.retries_left for queue in queues for job in queue.jobs)
    assert not queue.is_idle()


def test_slow_apis_do_not_keep_a_drain_from_lingering(store):
    queue = JobQueue(store)
    queue.settle("dlv_x")

    assert queue.is_idle()


def test_queue_that_is_down_is_no_error():
    client = edge_client("unix:///nowhere/socket")
    queue = JobQueue(client)
    queue.wake(0)

    assert queue.is_idle()
    with pytest.raises(RedisConnectionError):
        client.ping()
    client.close()
