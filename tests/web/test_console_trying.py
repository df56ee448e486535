"""A test webhook from the console, signed as its provider would sign it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from form_browser import Browser

from gateway.domain.events import SessionStatus
from gateway.store.tokens import Scope, Token, digest_of
from gateway.web.app import create_app
from gateway.web.console.trying import kinds_to_try
from jobs.drain import Drain
from providers import configuration, registry, simulator
from providers.registry import Instance

STRIPE = {"id": "ps_1", "provider_id": "stripe", "amount": 4250, "currency_code": "EUR"}


@pytest.fixture
def trying(fake, make_services):
    """A console whose `stripe` has the made-up secrets, and whose `stripe-eu` has others."""
    adapter = registry.adapter("stripe")
    made_up = simulator.development_config("stripe")
    others = made_up | {"webhook_secrets": ["whsec_real"]}
    instances = {
        name: Instance(name, adapter, configuration.load(adapter.Config, given))
        for name, given in (("stripe", made_up), ("stripe-eu", others))
    }
    services = make_services(fake)
    services.tokens.add(Token("all", frozenset(Scope), digest_of("all"), services.runtime.clock()))
    settings = replace(services.settings, instances=instances)
    runtime = replace(services.runtime, instances=instances)
    browser = Browser(create_app(replace(services, settings=settings, runtime=runtime)))
    browser.http.post("/console/login", data={"token": "all"}, base_url="https://localhost")
    create = browser.http.post("/sessions", headers={"Authorization": "Bearer all"}, json=STRIPE)
    assert 201 == create.status_code
    return browser, runtime


def test_test_webhook_authorizes_a_session_as_its_provider_would(trying):
    browser, runtime = trying
    page = browser.see("/console/providers")
    assert 1 == page.count("Send a test webhook")

    fields = {"session_id": "ps_1", "kind": "authorized"}
    assert "ps_1" in browser.send("/console/providers/stripe/try", **fields)
    Drain(runtime, 0).run(linger=timedelta(0))
    assert SessionStatus.AUTHORIZED is runtime.sessions.get("ps_1").status
    # It is signed and received now: nobody wants to be told of a lag that there was not.
    (applied,) = [one for one in runtime.sessions.history("ps_1") if one.delivery_id]
    assert timedelta(0) <= applied.received_at - applied.occurred_at < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("provider", "fields", "status"),
    [
        ("stripe-eu", {"kind": "authorized", "session_id": "ps_1"}, 422),
        ("stripe", {"kind": "nonsense", "session_id": "ps_1"}, 422),
        ("stripe", {"kind": "authorized", "session_id": "ps_9"}, 404),
        ("nobody", {"kind": "authorized", "session_id": "ps_1"}, 404),
    ],
)
def test_test_webhook_is_sent_only_where_it_can_be(trying, provider, fields, status):
    browser, runtime = trying
    browser.see("/console/providers")
    browser.send(f"/console/providers/{provider}/try", status, **fields)
    assert 0 == runtime.inbox.backlog(0)


def test_what_is_asked_back_is_not_offered(clock):
    adapter = registry.adapter("opennode")
    config = configuration.load(adapter.Config, simulator.development_config("opennode"))
    assert "authorized" in simulator.kinds("opennode")
    assert "authorized" not in kinds_to_try(Instance("opennode", adapter, config), clock())
