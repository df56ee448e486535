import pytest
import toy
from rq import Queue
from rq.serializers import JSONSerializer

from jobs.queue import QUEUE, SETTLE_QUEUE
from jobs.runtime import stopping


@pytest.fixture
def runtime(store, clock):
    """What jobs work with, over a fake and a real store; one shard, two toy accounts."""
    made = toy.runtime(store, clock)
    made.inbox.open()
    return made


@pytest.fixture
def queued(store):
    """The (function, arguments) of all jobs that wait for a worker, in either queue."""

    def jobs():
        queues = [
            Queue(name, connection=store, serializer=JSONSerializer)
            for name in (QUEUE, SETTLE_QUEUE)
        ]
        return [(job.func_name, *job.args) for queue in queues for job in queue.jobs]

    return jobs


@pytest.fixture(autouse=True)
def _not_stopping():
    yield
    stopping.clear()
