"""Applying webhooks: one worker process on a backlog, against a job for each webhook."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import per_webhook
from celery import Celery
from records import check_applied, make_backlog, make_sessions, writing
from rows import Row, at_least
from rq import Queue
from rq.serializers import JSONSerializer
from stage import Stage, stage
from traffic import SHARDS, webhooks

from gateway.store import keys
from gateway.store.clients import queue_client
from gateway.store.inbox import Inbox

ROUNDS, BACKLOG, PER_SESSION = 5, 20_000, 10
_RQ, _CELERY = 1000, 3000
_CELERY_QUEUE = "per-webhook-celery"
# Seconds; whoever looks takes processor time from those that are looked at.
_LOOK = 0.02
_SPELL = 1.0


class Bench:
    """Backlogs of one stage after another, each of sessions that nothing has touched before."""

    def __init__(self, stage: Stage, first: int = 0) -> None:
        self._stage = stage
        self._next = first
        self.cpu: list[float] = []
        """Seconds of processor time for an event, with the store's and the process's start."""
        self._celery: Celery = per_webhook.celery_app(
            stage.store_url.replace("unix://", "redis+socket://")
        )

    def gateway(
        self,
        workers: int = 1,
        events: int = 1,
        backlog: int = BACKLOG,
        at_end: Callable[[], None] = lambda: None,
    ) -> float:
        """Events applied a second by so many worker processes."""
        sessions = backlog // events
        first = self._sessions(sessions)
        with writing(self._stage) as client:
            make_backlog(client, webhooks(first, sessions, events))
        names, before = ["worker", "worker2"][:workers], self._stage.cpu("store")
        for name in names:
            self._stage.roles[name].start()
        with self._stage.client() as client:
            inbox = Inbox(client, SHARDS)
            rate = _rate(lambda: inbox.backlog(0))
        self.cpu.append((self._stage.cpu(*names, "store") - before) / backlog)
        at_end()
        self._stage.stop(*names)
        self._check(first, sessions, events)
        return rate

    def forget_backlog(self) -> None:
        """What the edge was sent before is nobody's to apply."""
        with self._stage.client() as client:
            client.delete(keys.inbox(0))

    def rq(self) -> float:
        first = self._sessions(_RQ)
        connection = queue_client(self._stage.store_url)
        queue = Queue(per_webhook.QUEUE, connection=connection, serializer=JSONSerializer)
        with writing(self._stage):
            queue.enqueue_many(
                [
                    Queue.prepare_data("per_webhook.apply", per_webhook.arguments(one))
                    for one in webhooks(first, _RQ)
                ]
            )
        role = self._stage.run("rq", ["-m", "per_webhook", "rq"])
        rate = _rate(lambda: queue.count)
        role.process.wait(60)
        self._check(first, _RQ, 1)
        return rate

    def celery(self) -> float:
        first = self._sessions(_CELERY)
        task = self._celery.tasks["apply"]
        with writing(self._stage), self._celery.amqp.producer_pool.acquire() as producer:
            for one in webhooks(first, _CELERY):
                task.apply_async(per_webhook.arguments(one), producer=producer)
        role = self._stage.run("celery", ["-m", "per_webhook", "celery"])
        with self._stage.client() as client:
            rate = _rate(lambda: client.llen(_CELERY_QUEUE))
        role.stop()  # a warm shutdown: what it has prefetched is done first
        self._check(first, _CELERY, 1)
        return rate

    def _sessions(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        with writing(self._stage) as client:
            make_sessions(client, first, count)
        return first

    def _check(self, first: int, sessions: int, events: int) -> None:
        with self._stage.client() as client:
            check_applied(client, first, sessions, events)


def _rate(left: Callable[[], int]) -> float:
    """How fast a backlog shrinks, from when it begins to: a process's start is not counted."""
    whole = left()
    while (before := left()) > whole * 0.9:
        time.sleep(_LOOK)
    began = time.monotonic()
    while left():
        time.sleep(_LOOK)
    return before / (time.monotonic() - began)


def _compute(seconds: float) -> float:
    """How often a second an interpreter alone does something small, without any waiting."""
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        done += len(sorted(range(1000), key=str)) // 1000
    return done / seconds


def _machine(found: dict[str, list[float]], pool: ProcessPoolExecutor) -> None:
    """What two processes that share nothing do against one: more, no two workers can reach."""
    found["alone"].append(pool.submit(_compute, _SPELL).result())
    found["both"].append(sum(pool.map(_compute, [_SPELL] * 2)))


def measure() -> Iterator[Row]:
    kinds = ("one", "ten", "two", "rq", "celery", "alone", "both")
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    with stage() as made, ProcessPoolExecutor(2) as pool:
        bench = Bench(made)
        for _ in range(ROUNDS):
            _machine(found, pool)
            found["rq"].append(bench.rq())
            found["one"].append(bench.gateway())
            found["celery"].append(bench.celery())
            found["ten"].append(bench.gateway(events=PER_SESSION))
            found["two"].append(bench.gateway(workers=2))
    name = "events applied by one worker process"
    for kind, text in (("one", f"{name}, each its own session"), ("ten", f"{name}, ten a session")):
        yield at_least(text, found[kind], "RQ", found["rq"], 15)
        yield at_least(text, found[kind], "Celery", found["celery"], 3)
    yield at_least("two worker processes", found["two"], "one", found["one"], 1.6)
    row = at_least("two processes that only compute", found["both"], "one", found["alone"], 1)
    yield Row(row.measure, row.ours, row.against, row.ratio)
    cost = f"{median(bench.cpu) * 1e6:,.1f} µs"
    yield Row("processor time of an applied event, with the store's", cost)
    with stage("everysec") as made:
        bench = Bench(made)
        ours, rq, celery = bench.gateway(), bench.rq(), bench.celery()
    for told, theirs in (("RQ", rq), ("Celery", celery)):
        row = at_least(f"{name} (`everysec`, one round)", [ours], told, [theirs], 1)
        yield Row(row.measure, row.ours, row.against, row.ratio)
