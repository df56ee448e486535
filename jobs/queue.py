"""Enqueueing: RQ jobs are wake-ups and slow work, never the only copy of a webhook."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry, Worker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from structlog import get_logger

QUEUE = "gateway"
SETTLE_QUEUE = "gateway-settle"
"""A provider's slow API must not hold up what webhooks say: settling has workers of its own."""

DRAIN = "jobs.drain.drain"
SETTLE = "jobs.settle.settle"
SWEEP = "jobs.sweep.sweep"
ALLOWED = frozenset({DRAIN, SETTLE, SWEEP})
"""All functions that a worker runs: whoever can write the queue can name any other."""

JOB_TIMEOUT = 60
_RESULT_TTL = 60
_FAILURE_TTL = 24 * 3600
# A worker that was stopped at the wrong moment leaves a job in no list, which says it is queued.
_LONG_QUEUED = timedelta(minutes=10)
_ON_THE_WAY = frozenset({JobStatus.SCHEDULED, JobStatus.STARTED, JobStatus.DEFERRED})
# A provider's API that is down is asked again for about a day.
SETTLE_INTERVALS = [5, 15, 60, 300, 900, 3600, 7200, 14400, 28800, 28800]

log = get_logger()


class JobQueue:
    """Enqueues the gateway's jobs. A queue that is down is logged: the sweep makes good for it."""

    def __init__(self, connection: Redis) -> None:
        self._queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
        self._slow = Queue(SETTLE_QUEUE, connection=connection, serializer=JSONSerializer)

    def wake(self, shard: int) -> None:
        self._enqueue(self._queue, DRAIN, shard, Retry(max=3, interval=[1, 2, 5]))

    def settle(self, delivery_id: str, tries: int = 0) -> None:
        """One job a delivery, by its id, so that it can be seen whether there is one.

        It has the retries that are left after some tries: waiting for an API must not renew them.
        """
        left = SETTLE_INTERVALS[tries:]
        retry = Retry(len(left), left) if left else None
        self._enqueue(self._slow, SETTLE, delivery_id, retry, job_id=_settle_job(delivery_id))

    def settling(self, delivery_ids: Sequence[str], now: datetime) -> set[str]:
        """Those of the deliveries that a job will settle. Without the queue: all, for all we know.

        A job that has waited for its worker for long may have been lost on its way there.
        """
        ids = [_settle_job(delivery_id) for delivery_id in delivery_ids]
        try:
            jobs = Job.fetch_many(ids, self._slow.connection, serializer=JSONSerializer)
        except (RedisError, OSError):
            return set(delivery_ids)
        found = zip(delivery_ids, jobs, strict=True)
        return {delivery_id for delivery_id, job in found if job and _will_run(job, now)}

    def is_idle(self) -> bool:
        """Nothing waits for a worker."""
        try:
            return self._queue.count == 0
        except (RedisError, OSError):
            return True

    def depths(self) -> dict[str, tuple[int, int]]:
        """The jobs that wait in each queue, and the workers that listen to it; empty: who knows."""
        queues = (self._queue, self._slow)
        try:
            return {queue.name: (queue.count, Worker.count(queue=queue)) for queue in queues}
        except (RedisError, OSError):
            return {}

    def _enqueue(
        self,
        queue: Queue,
        function: str,
        argument: int | str,
        retry: Retry | None,
        job_id: str | None = None,
    ) -> None:
        try:
            queue.enqueue(
                function,
                argument,
                retry=retry,
                job_id=job_id,
                job_timeout=JOB_TIMEOUT,
                result_ttl=_RESULT_TTL,
                failure_ttl=_FAILURE_TTL,
                description=f"{function}({argument})",
            )
        except (RedisError, OSError) as error:
            log.warning("enqueue_failed", job=function, error=type(error).__name__)


def _settle_job(delivery_id: str) -> str:
    return f"settle-{delivery_id}"


def _will_run(job: Job, now: datetime) -> bool:
    status = job.get_status(refresh=False)
    if status is JobStatus.QUEUED:
        return job.enqueued_at is not None and now - job.enqueued_at < _LONG_QUEUED
    return status in _ON_THE_WAY
