"""What tests of the commands for whoever is on call share."""

import json

import builders
import pytest
from click.testing import CliRunner
from on_call import SECRET

from gateway.cli import main
from gateway.config import load
from gateway.domain.history import session_created
from gateway.store.clients import worker_client
from jobs import runtime as jobs_runtime


@pytest.fixture
def environment(valkey_url):
    return {"GATEWAY_STORE_URL": valkey_url, "GATEWAY_STRIPE_WEBHOOK_SECRETS": SECRET}


@pytest.fixture
def runtime(environment, valkey):
    client = worker_client(environment["GATEWAY_STORE_URL"])
    made = jobs_runtime.connect(load(environment), client)
    made.inbox.open()
    record = builders.record("ps_1", provider_id="stripe", amount=4250)
    made.sessions.create(record, session_created(record.session, "api:test"))
    yield made
    client.close()


@pytest.fixture
def gateway(environment):
    """Runs a command; what it printed, as lines or as JSON."""

    def run(*words, code=0, **settings):
        done = CliRunner().invoke(main, words, env=environment | settings)
        assert code == done.exit_code, done.output
        lines = done.stdout.splitlines()
        return [json.loads(line) for line in lines] if "--json" in words else lines

    return run
