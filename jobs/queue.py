"""Enqueueing: RQ jobs are wake-ups and slow work, never the only copy of a webhook."""

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.serializers import JSONSerializer
from structlog import get_logger

QUEUE = "gateway"
DRAIN = "jobs.drain.drain"
SETTLE = "jobs.settle.settle"
SWEEP = "jobs.sweep.sweep"
ALLOWED = frozenset({DRAIN, SETTLE, SWEEP})
"""All functions that a worker runs: whoever can write the queue can name any other."""

JOB_TIMEOUT = 60
_RESULT_TTL = 60
_FAILURE_TTL = 24 * 3600
# A provider's API that is down is asked again for about a day.
SETTLE_INTERVALS = [5, 15, 60, 300, 900, 3600, 7200, 14400, 28800, 28800]

log = get_logger()


class JobQueue:
    """Enqueues the gateway's jobs. A queue that is down is logged: the sweep makes good for it."""

    def __init__(self, connection: Redis) -> None:
        self._queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)

    def wake(self, shard: int) -> None:
        self._enqueue(DRAIN, shard, Retry(max=3, interval=[1, 2, 5]))

    def settle(self, delivery_id: str) -> None:
        self._enqueue(SETTLE, delivery_id, Retry(len(SETTLE_INTERVALS), SETTLE_INTERVALS))

    def is_idle(self) -> bool:
        """Nothing waits for a worker."""
        try:
            return self._queue.count == 0
        except (RedisError, OSError):
            return True

    def _enqueue(self, function: str, argument: int | str, retry: Retry) -> None:
        try:
            self._queue.enqueue(
                function,
                argument,
                retry=retry,
                job_timeout=JOB_TIMEOUT,
                result_ttl=_RESULT_TTL,
                failure_ttl=_FAILURE_TTL,
                description=f"{function}({argument})",
            )
        except (RedisError, OSError) as error:
            log.warning("enqueue_failed", job=function, error=type(error).__name__)
