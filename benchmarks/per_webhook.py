"""The baselines: a job for each webhook, with the effect that a drain has in batches.

Written as one would by hand, over the same rules and records: read the events, load their session,
decide, commit, list it under its new status. Three round trips, and no record of the delivery.

    python -m per_webhook rq        an RQ SimpleWorker, until its queue is empty
    python -m per_webhook celery    a Celery worker, until it is stopped
"""

import sys
from datetime import datetime

from celery import Celery
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from traffic import Webhook

from gateway.config import from_environment
from gateway.domain.events import Delivery
from gateway.domain.history import Decision, decision_key
from gateway.domain.sessions import apply as decide
from gateway.domain.sessions import stamped
from gateway.store.clients import queue_client
from gateway.store.sessions import Commit, Lookup
from jobs.runtime import runtime

QUEUE = "per-webhook"
DONE = "per-webhook-done"

Arguments = tuple[str, list[tuple[str, str]], str, str]


def arguments(webhook: Webhook) -> Arguments:
    """What a job gets: there is no other copy of the webhook."""
    made = webhook.delivery
    return (
        made.provider_id,
        list(made.headers),
        made.body.decode(),
        made.received_at.isoformat(),
    )


def apply(provider_id: str, headers: list[tuple[str, str]], body: str, received_at: str) -> None:
    delivery = Delivery(
        provider_id=provider_id,
        headers=tuple((name, value) for name, value in headers),
        body=body.encode(),
        received_at=datetime.fromisoformat(received_at),
    )
    instance = runtime().instances[provider_id]
    for event in instance.adapter.read(delivery, instance.config):
        while not _apply(event, delivery, instance.livemode):
            pass


def _apply(event, delivery, livemode) -> bool:
    sessions, key = runtime().sessions, decision_key(event.provider_id, event.event_id)
    session_id = event.reference
    if session_id is None:
        [found] = sessions.find([Lookup(event.provider_id, event.external_id, None)])
        session_id = found.session_id
    [loaded] = sessions.load([(session_id, [key])])
    known, now = key in loaded.known, runtime().clock()
    record, verdict = decide(loaded.record, event, known=known, livemode=livemode)
    decision = Decision(
        source=event.provider_id,
        event_id=event.event_id,
        type=event.type,
        outcome=verdict.outcome,
        before=verdict.before,
        after=verdict.after,
        occurred_at=event.occurred_at,
        received_at=delivery.received_at,
        decided_at=now,
        delivery_id="",
        change=event.payment_change.kind if event.payment_change else None,
        amount=event.amount,
        currency=event.currency,
        detail=event.detail,
    )
    commit = Commit(loaded.record, stamped(loaded.record, record, now), (decision,))
    if not sessions.commit([commit])[0]:
        return False
    runtime().listings.state([commit.after.session])
    return True


def broker_url() -> str:
    """The gateway's own store, as Celery names it."""
    return from_environment().store_url.replace("unix://", "redis+socket://")


def celery_app(url: str) -> Celery:
    app = Celery("per_webhook", broker=url)
    app.conf.task_ignore_result = True
    app.conf.task_serializer = "json"
    app.conf.worker_prefetch_multiplier = 64
    app.conf.task_default_queue = "per-webhook-celery"
    app.conf.broker_connection_retry_on_startup = True
    app.task(apply, name="apply")
    return app


def work_as_celery() -> None:
    app = celery_app(broker_url())
    # One process without a pool: the fastest that it has for tasks like these.
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["worker", "--pool=solo", "--loglevel=WARNING", *quiet])


def work_as_rq() -> None:
    connection = queue_client(from_environment().queue_url)
    queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
    worker = SimpleWorker([queue], connection=connection, serializer=JSONSerializer)
    worker.log_job_description = False
    worker.work(burst=True, logging_level="WARNING")


if __name__ == "__main__":
    {"celery": work_as_celery, "rq": work_as_rq}[sys.argv[1]]()
