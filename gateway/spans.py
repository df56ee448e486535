"""What `gateway.tracing` needs of OpenTelemetry; imported only where something is traced."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import __version__

_SERVICE = "payment-webhook-gateway"
_W3C = TraceContextTextMapPropagator()


class Spans:
    """Makes spans, and gives them to a processor."""

    def __init__(self, processor: SpanProcessor) -> None:
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say more, or otherwise.
        named = Resource({"service.name": _SERVICE}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=named)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_SERVICE, __version__)

    @classmethod
    def to_collector(cls) -> Self:
        """Spans for the collector that OpenTelemetry's own variables name."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def close(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()

    @contextmanager
    def begin(self, name: str, facts: Mapping[str, str]) -> Iterator[None]:
        # Whoever sends a webhook must not choose its trace; nor may an error's text get into it.
        with self._tracer.start_as_current_span(
            name,
            Context(),
            SpanKind.SERVER,
            facts,
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield

    def note(self, facts: Mapping[str, str]) -> None:
        trace.get_current_span().set_attributes(facts)

    def current(self) -> str:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent", "")

    def record(self, name: str, traceparent: str, seconds: float, facts: Mapping[str, str]) -> None:
        began = time.time_ns() - int(seconds * 1e9)
        parent = _W3C.extract({"traceparent": traceparent})
        self._tracer.start_span(name, parent, SpanKind.CONSUMER, facts, start_time=began).end()
