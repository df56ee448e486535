"""Traces of real processes, as a collector of OpenTelemetry's gets them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from processes import SECRETS, eventually, running, stripe

pytestmark = pytest.mark.system


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP, and keeps them by name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.spans: dict[str, Span] = {}
        self.services: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        told = ExportTraceServiceRequest()
        told.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        for source in told.resource_spans:
            named = {one.key: one.value.string_value for one in source.resource.attributes}
            self.server.services.add(named["service.name"])
            for scope in source.scope_spans:
                self.server.spans |= {span.name: span for span in scope.spans}
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_web_and_worker_tell_one_trace(collector):
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with running(SECRETS | settings) as gateway:
        gateway.create("ps_1")
        kind = "payment_intent.amount_capturable_updated"
        assert 200 == gateway.post(stripe("evt_1", kind, "ps_1"))
        eventually(lambda: {"webhook", "apply"} <= set(collector.spans), "both spans are told")

    webhook, applied = collector.spans["webhook"], collector.spans["apply"]
    assert webhook.trace_id == applied.trace_id
    assert webhook.span_id == applied.parent_span_id
    assert {"payment-webhook-gateway"} == collector.services
