"""What is counted and measured, for Prometheus.

With `PROMETHEUS_MULTIPROC_DIR` (a folder that is emptied before each start) all processes of a
machine count together, and whichever of them is asked tells for all; without it each tells for
itself. What can be looked up in the store is not counted here: see `gateway.web.gauges`.

Labels are names of configured instances and words from closed lists, so nobody outside can add to
them, and nothing secret gets into them.
"""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# Seconds: from a quick answer of the edge to a provider's own time-out.
_EDGE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
# Seconds: from a webhook that comes at once to one that its provider has tried for days.
_LAG = (0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 3600, 86_400, 604_800)

WEBHOOKS = Counter(
    "gateway_webhooks", "Webhooks by what became of them at the edge.", ["provider", "outcome"]
)
REFUSALS = Counter(
    "gateway_refusals", "Webhooks that were refused, by their cause.", ["provider", "cause"]
)
ACKNOWLEDGEMENT = Histogram(
    "gateway_acknowledgement_seconds", "From a webhook's arrival to its answer.", buckets=_EDGE
)
POLLS = Counter("gateway_polls", "Answers to who asks for a session.", ["answer"])
DELIVERIES = Counter(
    "gateway_deliveries_finished", "Deliveries that were worked on.", ["provider", "state"]
)
DECISIONS = Counter("gateway_decisions", "Events by what they did.", ["provider", "outcome"])
TRANSITIONS = Counter("gateway_transitions", "Changes of sessions' statuses.", ["before", "after"])
MATCHED = Counter(
    "gateway_secret_matches",
    "Deliveries that a secret proved, by its label.",
    ["provider", "secret"],
)
RECEIVED_LAG = Histogram(
    "gateway_received_lag_seconds",
    "From the provider's time of an event to its receipt.",
    ["provider"],
    buckets=_LAG,
)
APPLIED_LAG = Histogram(
    "gateway_applied_lag_seconds", "From an event's receipt to its decision.", buckets=_LAG
)
RETRIES = Counter("gateway_retries", "Tries that failed and are made again.", ["work"])


def exposition(looked_up: Collector, folder: str | None) -> bytes:
    """All metrics as Prometheus reads them. `folder`: that of all processes' counts, if any."""
    registry = CollectorRegistry()
    if folder:
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(looked_up)
    return generate_latest(registry)
