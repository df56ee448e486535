"""Whatever fits the served document is answered as the document says, on a real store."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.store.clients import worker_client
from gateway.store.tokens import Scope, Token, digest_of
from gateway.web.app import create_app

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def document(valkey, valkey_url, make_services):
    client = worker_client(valkey_url)
    services = make_services(client)
    services.tokens.add(Token("all", frozenset(Scope), digest_of("all"), services.runtime.clock()))
    app = create_app(services)
    http = app.test_client()
    headers = {"Authorization": "Bearer all"}
    # Something to find, so that not every path ends at 404.
    new = {"provider_id": "toy", "amount": 1000, "currency_code": "EUR", "cart_id": "c"}
    http.post("/sessions", json={**new, "id": "0"}, headers=headers)
    yield schemathesis.openapi.from_wsgi("/openapi.json", app)
    services.changes.close()
    client.close()


def test_every_answer_is_documented(document):
    tried = []
    for result in document.get_all_operations():
        operation = result.ok()
        if (
            not operation.path.startswith(("/webhooks", "/ready"))
            and "stream" not in operation.path
        ):
            tried.append(operation.label)
            _try(operation)

    assert len(tried) >= 15


def _try(operation):
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(operation.as_strategy())
    def answer_is_documented(case):
        # A long poll is meant to last.
        case.query.pop("wait", None)
        case.call_and_validate(headers={"Authorization": "Bearer all"}, checks=CHECKS)

    answer_is_documented()
