import pytest
import toy
from rq import Queue
from rq.serializers import JSONSerializer

from jobs.queue import QUEUE
from jobs.runtime import stopping


@pytest.fixture
def runtime(store, clock):
    """What jobs work with, over a fake and a real store; one shard, two toy accounts."""
    made = toy.runtime(store, clock)
    made.inbox.open()
    return made


@pytest.fixture
def queued(store):
    """The (function, arguments) of all jobs that wait for a worker."""

    def jobs():
        queue = Queue(QUEUE, connection=store, serializer=JSONSerializer)
        return [(job.func_name, *job.args) for job in queue.jobs]

    return jobs


@pytest.fixture(autouse=True)
def _not_stopping():
    yield
    stopping.clear()
