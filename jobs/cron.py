"""The cron process: enqueues the sweep. Run exactly one; a second one only sweeps more often.

python -m jobs.cron
"""

import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from redis.exceptions import RedisError
from rq import Queue
from rq.cron import CronJob, CronScheduler
from rq.job import Job
from rq.serializers import JSONSerializer
from structlog import get_logger

from gateway.config import from_environment
from gateway.domain.errors import ConfigurationError
from gateway.observe import configure_logging
from gateway.store.clients import worker_client
from jobs.queue import QUEUE
from jobs.sweep import INTERVAL, sweep

log = get_logger()
P = ParamSpec("P")
T = TypeVar("T")


class JsonCronJob(CronJob):
    """RQ's own cron jobs are pickled, which our workers refuse to read."""

    def enqueue(self, connection: Any) -> Job:
        queue = Queue(self.queue_name, connection=connection, serializer=JSONSerializer)
        assert self.func is not None  # noqa: S101 - given below
        return queue.enqueue(self.func, args=self.args, **self.job_options)


def outliving(method: Callable[P, T]) -> Callable[P, T | None]:
    """The method, for which an outage of the queue is only worth a line in the log."""

    @wraps(method)
    def tolerant(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return method(*args, **kwargs)
        except (RedisError, OSError) as error:
            log.warning(
                "cron_waits_for_the_queue", step=method.__name__, error=type(error).__name__
            )
            return None

    return tolerant


class Cron(CronScheduler):
    """RQ's scheduler, which outlives an outage of the queue and tries again at the next tick."""

    register_birth = outliving(CronScheduler.register_birth)
    save = outliving(CronScheduler.save)
    heartbeat = outliving(CronScheduler.heartbeat)
    register_death = outliving(CronScheduler.register_death)

    def enqueue_jobs(self) -> list[CronJob]:
        return outliving(super().enqueue_jobs)() or []

    def calculate_sleep_interval(self) -> float:
        # A job that could not be enqueued is due again soon: neither spin nor sleep RQ's minute.
        return min(max(0.5, super().calculate_sleep_interval()), INTERVAL)


def main() -> int:
    """Enqueues sweeps until it is asked to stop."""
    try:
        settings = from_environment()
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging is configured by what is at fault
        return 2
    configure_logging(settings.log_format)
    # It has no configuration that could change but where the queue is.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cron = Cron(worker_client(settings.queue_url), logging_level="WARNING")
    # A sweep that no worker took in time is not worth keeping: the next one does the same.
    job = JsonCronJob(QUEUE, sweep, interval=INTERVAL, ttl=2 * INTERVAL, result_ttl=5)
    cron.get_jobs().append(job)
    cron.start()  # type: ignore[no-untyped-call]  # RQ's is untyped
    return 0


if __name__ == "__main__":
    sys.exit(main())
