"""What the store knows at the moment when it is asked: metrics that nobody has to count."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.domain.errors import StoreUnavailable
from gateway.store.health import Health
from gateway.store.keys import LISTED
from gateway.web.services import Services


class Gauges(Collector):
    """Looks everything up anew at each scrape. Without the store only its health is told."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        health = self._services.health()
        yield from _health(health)
        try:
            found = [*self._inbox(self._services.runtime.clock()), *self._lists(), *self._queues()]
        except StoreUnavailable:
            return
        yield from found

    def _inbox(self, now: datetime) -> Iterator[Metric]:
        inbox = self._services.runtime.inbox
        depth = GaugeMetricFamily(
            "gateway_inbox_depth", "Webhooks that wait to be applied.", labels=["shard"]
        )
        oldest = GaugeMetricFamily(
            "gateway_inbox_oldest_seconds", "For how long the oldest one waits.", labels=["shard"]
        )
        for shard in range(inbox.shards):
            depth.add_metric([str(shard)], inbox.backlog(shard))
            came = inbox.oldest_at(shard)
            waits = (now - came).total_seconds() if came else 0.0
            oldest.add_metric([str(shard)], max(0.0, waits))
        yield depth
        yield oldest

    def _lists(self) -> Iterator[Metric]:
        lists = self._services.runtime.lists
        listed = GaugeMetricFamily(
            "gateway_deliveries", "Deliveries in the list of each state.", labels=["state"]
        )
        for state in LISTED:
            listed.add_metric([state.value], lists.count(state))
        yield listed

    def _queues(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("gateway_queue_jobs", "RQ jobs that wait.", labels=["queue"])
        workers = GaugeMetricFamily(
            "gateway_workers", "Workers that listen to a queue.", labels=["queue"]
        )
        for name, (waiting, listening) in self._services.runtime.queue.depths().items():
            jobs.add_metric([name], waiting)
            workers.add_metric([name], listening)
        yield jobs
        yield workers


def _health(health: Health) -> Iterator[Metric]:
    told = {
        "gateway_ready": ("Whether webhooks can be acknowledged.", health.ok),
        "gateway_store_used_bytes": ("Memory that the store uses.", health.used_memory),
        "gateway_store_max_bytes": ("Memory that it may use; 0: no limit.", health.max_memory),
        "gateway_clock_ahead_seconds": (
            "How far this machine's clock is ahead of the store's.",
            health.clock_ahead,
        ),
    }
    for name, (text, value) in told.items():
        yield GaugeMetricFamily(name, text, value=float(value))
