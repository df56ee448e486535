"""One trace from the webhook to the commit: what its spans say, and what they never say."""

import sys
from dataclasses import replace

import pytest
import toy
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway import tracing
from gateway.domain.errors import ConfigurationError
from gateway.spans import Spans
from gateway.store.health import Health


@pytest.fixture
def spans():
    """Gives the spans so far, as {name: span}; the last one of each name."""
    exporter = InMemorySpanExporter()
    tracing.start(Spans(SimpleSpanProcessor(exporter)))
    yield lambda: {span.name: span for span in exporter.get_finished_spans()}
    tracing.stop()


def test_webhook_and_its_effect_are_one_trace(spans, services, create, webhook):
    create()
    answer = webhook(toy.told("e1"))

    edge, applied = spans()["webhook"], spans()["apply"]
    assert edge.parent is None
    assert edge.context.trace_id == applied.context.trace_id
    assert edge.context.span_id == applied.parent.span_id
    assert edge.end_time <= applied.end_time
    assert {
        "request_id": answer.headers["X-Request-Id"],
        "provider": "toy",
        "outcome": "kept",
        "delivery": applied.attributes["delivery"],
    } == dict(edge.attributes)
    assert "applied" == applied.attributes["state"]


def test_parked_delivery_goes_on_with_its_trace(spans, create, webhook, drained):
    webhook(toy.told("e1"))
    began = spans()["webhook"].context.trace_id
    assert "parked" == spans()["apply"].attributes["state"]
    create()
    drained()

    assert "applied" == spans()["apply"].attributes["state"]
    assert began == spans()["apply"].context.trace_id


def test_whoever_sends_does_not_choose_the_trace(spans, post):
    chosen = "4bf92f3577b34da6a3ce929d0e0e4736"
    post(toy.signed(toy.told("e1")), traceparent=f"00-{chosen}-00f067aa0ba902b7-01")
    assert int(chosen, 16) != spans()["webhook"].context.trace_id


def test_refusal_and_failure_are_told_without_what_they_were_about(spans, post, health):
    genuine = toy.signed(toy.told("e1"), customer="Ada Lovelace")
    post(replace(genuine, body=genuine.body + b" "))
    assert "refused" == spans()["webhook"].attributes["outcome"]
    health.health = Health(faults=("Ada's disk is full.",))
    assert 503 == post(genuine).status_code

    failed = spans()["webhook"]
    assert "unavailable" == failed.attributes["outcome"]
    assert () == failed.events
    assert failed.status.description is None
    assert "Ada" not in failed.to_json()


def test_nothing_is_kept_of_a_trace_while_nothing_is_traced(services, post):
    post(toy.signed(toy.told("e1")))
    (entry,) = services.runtime.inbox.claim(0, 1, toy.NO_TIME)
    (stored,) = services.runtime.inbox.load([entry.delivery_id])
    assert "" == stored.trace


def test_missing_extra_is_said_at_the_start(monkeypatch):
    monkeypatch.setitem(sys.modules, "gateway.spans", None)
    with pytest.raises(ConfigurationError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT.*\[otel\]"):
        tracing.configure(toy.settings(traces=True))
