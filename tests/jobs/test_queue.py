from importlib import import_module

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue
from rq.serializers import JSONSerializer

from gateway.store.connection import edge_client
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
    jobs = Queue("gateway", connection=store, serializer=JSONSerializer).jobs
    assert all(job.retries_left for job in jobs)
    assert not queue.is_idle()


def test_queue_that_is_down_is_no_error():
    client = edge_client("unix:///nowhere/socket")
    queue = JobQueue(client)
    queue.wake(0)

    assert queue.is_idle()
    with pytest.raises(RedisConnectionError):
        client.ping()
    client.close()
