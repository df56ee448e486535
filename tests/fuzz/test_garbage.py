"""Garbage gets a documented answer, and never an exception of another kind than Rejected."""

import gzip
import random
import re
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import pytest
import toy
from garbage import BODIES, INSTANCES, inputs, mutated, samples, tried

from gateway.store.changes import Changes
from gateway.store.collections import Collections
from gateway.store.health import Health
from gateway.store.idempotency import IdempotencyKeys
from gateway.store.logins import Logins
from gateway.store.tokens import Tokens
from gateway.web.app import create_app
from gateway.web.services import Services
from jobs.runtime import make

INPUTS = 150
DOCUMENTED = {200, 201, 202, 204, 400, 401, 403, 404, 405, 413, 498}


@pytest.fixture
def post(fake, clock):
    """Posts to an application with all providers configured; the status of the answer."""
    settings = replace(toy.settings(), instances=INSTANCES)
    healthy = SimpleNamespace(require=Health(faults=()).require)
    services = Services(
        settings=settings,
        runtime=make(settings, fake, fake, clock),
        collections=Collections(fake),
        idempotency=IdempotencyKeys(fake),
        changes=Changes(fake),
        tokens=Tokens(fake),
        logins=Logins(fake, Tokens(fake)),
        health=lambda: healthy,
        unsettled=lambda: 0,
    )
    client = create_app(services).test_client()

    def call(path, body=b"", headers=(), **options):
        return client.post(path, data=body, headers=list(headers), **options).status_code

    return call


@pytest.mark.parametrize("name", INSTANCES)
def test_mutated_deliveries_are_rejected_or_read(name):
    for delivery in islice(inputs(name, 1), INPUTS):
        tried(INSTANCES[name], delivery)


@pytest.mark.parametrize("name", INSTANCES)
def test_garbage_of_every_kind_is_rejected_or_read(name):
    instance, true = INSTANCES[name], samples(name)[0]
    for body in BODIES.values():
        garbage = replace(true, body=body)
        tried(instance, garbage)
        tried(instance, replace(garbage, headers=()))


@pytest.mark.parametrize("kind", BODIES)
def test_garbage_gets_a_documented_answer(kind, post):
    answers = {
        name: post(f"/webhooks/{name}", BODIES[kind], samples(name)[0].headers)
        for name in INSTANCES
    }

    assert set(answers.values()) <= DOCUMENTED, answers


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        ([("Content-Encoding", "gzip")], {400, 401, 403, 498}),
        ([("Content-Type", "image/png")], DOCUMENTED),
        ([("Content-Type", "multipart/form-data; boundary=x")], DOCUMENTED),
        ([("X-Odd", "\xff\xfe"), ("X-Odd", "2")], DOCUMENTED),
        ([("X-Request-Id", "a" * 5000)], DOCUMENTED),
    ],
)
def test_odd_headers_get_a_documented_answer(headers, statuses, post):
    body = gzip.compress(b"0" * 1_000_000)
    answers = {name: post(f"/webhooks/{name}", body, headers) for name in INSTANCES}

    assert set(answers.values()) <= statuses, answers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/%00",
        "/webhooks/stripe/more",
        "/webhooks/" + "x" * 9000,
        "/webhooks/..%2f..%2fetc%2fpasswd",
        "/webhooks/%ff%fe",
        "/webhooks/STRIPE",
        "//webhooks//stripe",
        "/sessions/%00",
        "/openapi.json/x",
    ],
)
def test_absurd_paths_get_a_documented_answer(path, post):
    assert post(path, b"{}") in {308, 400, 401, 404, 405}


def test_mutated_deliveries_get_a_documented_answer(post):
    chance = random.Random(7)
    for name in INSTANCES:
        for delivery in islice(inputs(name, 2), 10):
            # As a server would pass them on: neither line ends nor zeros, and no wide characters.
            headers = [
                (header, re.sub(r"[\x00\r\n]|[^\x00-\xff]", " ", value))
                for header, value in delivery.headers
            ]
            status = post(f"/webhooks/{name}", mutated(delivery.body, chance), headers)
            assert status in DOCUMENTED, (name, delivery)


def test_refusal_with_a_status_of_the_providers_own_is_no_failure(post):
    assert 498 == post("/webhooks/gocardless", b"{}", [("Webhook-Signature", "00")])


def test_flood_of_notifications_that_nothing_signs_is_turned_away(post):
    body = samples("payplug")[0].body
    answers = [post("/webhooks/payplug", body) for _ in range(300)]

    assert {200, 429} == set(answers)
    assert 50 <= answers.count(200) < 300
