"""The worker process: RQ's SimpleWorker with timers that find a dead colleague's job in seconds.

    python -m jobs.worker            applies webhooks
    python -m jobs.worker settle     asks providers' APIs

Each takes one queue: RQ loses no job of a killed worker only then. Everything is correct on a stock
`rq worker -S json gateway` and `gateway-settle` too, if slower to recover.

SIGHUP has it read its configuration anew, once the job at hand is done.
"""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from structlog import get_logger

from gateway import tracing
from gateway.config import Settings, from_environment
from gateway.domain.errors import ConfigurationError, GatewayError, StoreUnavailable
from gateway.observe import configure_logging
from gateway.store.clients import queue_client
from jobs.queue import ALLOWED, JOB_TIMEOUT, QUEUE, SETTLE_QUEUE
from jobs.runtime import Runtime, runtime, stopping

# An idle worker blocks for WORKER_TTL - 15 s, and only between jobs does it look for dead ones.
WORKER_TTL = 20
MAINTENANCE_INTERVAL = 5
_OUTAGE_PAUSE = 0.5
QUEUES = {"": QUEUE, "settle": SETTLE_QUEUE}
"""What the command's argument chooses."""

log = get_logger()
reloading = threading.Event()
"""Set when this worker was asked to read its configuration anew."""


class JobNotAllowed(GatewayError):
    """The queue names a function that is no job of the gateway."""


class AllowedJob(Job):
    """A job that can only be one of ours: whoever writes the queue must not choose the code."""

    @property
    def func(self) -> Callable[..., Any] | None:
        if self.func_name not in ALLOWED or self.instance is not None:
            raise JobNotAllowed(
                f"{self.func_name!r} is no job of the gateway: somebody else writes its queue."
            )
        found: Callable[..., Any] | None = super().func
        return found


class AllowedQueue(Queue):
    """A queue whose jobs are AllowedJobs."""

    job_class = AllowedJob


class GatewayWorker(SimpleWorker):
    """One job at a time in this process: the drain batches, so a fork a job would only cost."""

    job_class = AllowedJob
    queue_class = AllowedQueue
    # Seconds between two tries to reach a server that is away; RQ's own grow to a minute.
    max_connection_wait_time = 2.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"worker_ttl": WORKER_TTL, "maintenance_interval": MAINTENANCE_INTERVAL}
        kwargs |= {"log_job_description": False, "serializer": JSONSerializer}
        super().__init__(*args, **kwargs)

    @property
    def connection_timeout(self) -> int:
        """Seconds after which a server that says nothing is taken for gone."""
        return self.dequeue_timeout + 2

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        # A SimpleWorker does not beat during a job: the TTL must exceed the longest one.
        return JOB_TIMEOUT + 5

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]  # RQ's is untyped
        signal.signal(signal.SIGHUP, self.request_reload)

    def request_reload(self, signum: Any, frame: Any) -> None:
        """Ends RQ's loop after the present job, as a stop would; `work` begins anew."""
        reloading.set()
        self._shutdown()  # type: ignore[no-untyped-call]  # RQ's is untyped

    def request_stop(self, signum: Any, frame: Any) -> None:
        stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ's is untyped


def wake_what_waits(runtime: Runtime) -> None:
    """A worker that starts may follow one that died: the sweep would find that out later."""
    for shard in range(runtime.inbox.shards):
        if runtime.inbox.backlog(shard):
            runtime.queue.wake(shard)


def reloaded(settings: Settings) -> Settings:
    """The configuration as it is now; the present one if the new one has faults."""
    reloading.clear()
    try:
        settings = from_environment()
    except ConfigurationError as error:
        log.error("reload_refused", why=str(error))  # noqa: TRY400 - the traceback says nothing
    else:
        runtime.cache_clear()
        log.info("reloaded")
    return settings


def work(settings: Settings, name: str) -> None:
    """Works on a queue until it is asked to stop; an outage of its server is waited for."""
    while not stopping.is_set():
        if reloading.is_set():
            settings = reloaded(settings)
        connection = queue_client(settings.queue_url)
        try:
            runtime().inbox.open()
            if name == QUEUE:
                wake_what_waits(runtime())
            queue = AllowedQueue(name, connection=connection, serializer=JSONSerializer)
            worker = GatewayWorker([queue], connection=connection)
            # The scheduler moves retries whose time has come; every worker offers to be the one.
            worker.work(with_scheduler=True, logging_level="WARNING")
        except (StoreUnavailable, RedisError, OSError) as error:
            log.warning("worker_waits_for_the_store", error=type(error).__name__)
        # RQ also ends its loop by itself, if the store goes away while a job ends.
        if not reloading.is_set():
            stopping.wait(_OUTAGE_PAUSE)


def main(arguments: Sequence[str]) -> int:
    if (role := " ".join(arguments)) not in QUEUES:
        print("usage: python -m jobs.worker [settle]", file=sys.stderr)  # noqa: T201 - as below
        return 2
    try:
        settings = from_environment()
        tracing.configure(settings)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging is configured by what is at fault
        return 2
    configure_logging(settings.log_format)
    # Before RQ listens: otherwise this signal would kill.
    signal.signal(signal.SIGHUP, lambda *_: reloading.set())
    try:
        work(settings, QUEUES[role])
    finally:
        tracing.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
