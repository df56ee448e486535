from dataclasses import replace

import pytest
import toy
from rq import Queue
from rq.serializers import JSONSerializer

from gateway.domain.errors import Cause
from gateway.store import keys
from gateway.store.clients import edge_client
from gateway.store.health import Health
from gateway.web.app import create_app
from jobs.queue import DRAIN, QUEUE, JobQueue

GENUINE = toy.signed(toy.told("e1"))


def test_genuine_webhook_is_kept_and_answered_in_the_providers_form(post, services, clock):
    answer = post(GENUINE)

    assert (200, "[toy]") == (answer.status_code, answer.text)
    stored = services.runtime.inbox.load([keys.delivery_id("toy", GENUINE.body, 1)])[0]
    assert GENUINE.body == stored.delivery.body
    assert clock.now == stored.delivery.received_at
    assert "secrets[0]" == stored.secret


def test_new_webhook_wakes_a_drain_and_a_burst_only_one(post, fake):
    for number in range(3):
        post(toy.signed(toy.told(f"e{number}")))

    queue = Queue(QUEUE, connection=fake, serializer=JSONSerializer)
    assert [(DRAIN, [0])] == [(job.func_name, list(job.args)) for job in queue.jobs]


def test_duplicate_is_answered_alike_and_kept_once(post, services):
    first, second = post(GENUINE), post(GENUINE)

    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert 1 == services.runtime.inbox.backlog(0)


def test_same_bytes_may_be_news_again_where_the_adapter_gives_no_key(post, services, monkeypatch):
    monkeypatch.setattr(toy.Toy, "key", lambda *_: None)
    post(GENUINE)
    post(GENUINE)

    assert 2 == services.runtime.inbox.backlog(0)


def test_same_body_for_another_account_is_another_delivery(post, services):
    post(GENUINE)
    post(replace(GENUINE, provider_id="toy-eu"))

    assert 2 == services.runtime.inbox.backlog(0)


@pytest.mark.parametrize(
    ("delivery", "cause"),
    [
        (replace(GENUINE, body=GENUINE.body + b" "), Cause.BAD_SIGNATURE),
        (replace(GENUINE, headers=()), Cause.MISSING_SIGNATURE),
        (replace(GENUINE, headers=(("X-Toy-Signature", ""),)), Cause.MISSING_SIGNATURE),
    ],
)
def test_refused_webhook_says_its_cause_and_is_journaled(post, services, delivery, cause):
    answer = post(delivery)

    assert 401 == answer.status_code
    assert "application/problem+json" == answer.content_type
    assert cause.value == answer.json["cause"]
    assert answer.json["type"].endswith(f":{cause}")
    assert 0 == services.runtime.inbox.backlog(0)
    [rejection] = services.runtime.journal.latest("toy", 9)
    assert (cause, delivery.body) == (rejection.cause, rejection.delivery.body)


def test_unknown_provider_is_not_found(post):
    answer = post(replace(GENUINE, provider_id="nobody"))

    assert 404 == answer.status_code
    assert "nobody" in answer.json["detail"]


def test_known_provider_without_secrets_refuses_everything(post, services):
    answer = post(replace(GENUINE, provider_id="stripe"))

    assert Cause.NOT_CONFIGURED.value == answer.json["cause"]
    assert 400 == answer.status_code
    assert 1 == len(services.runtime.journal.latest("stripe", 9))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probe_without_a_handshake_is_told_to_post(client, method):
    answer = client.open("/webhooks/toy", method=method)

    assert 405 == answer.status_code
    assert "POST" == answer.headers["Allow"]


def test_store_that_does_not_persist_is_unavailable(post, services, health):
    health.health = Health(faults=("The store does not persist.",))

    answer = post(GENUINE)

    assert 503 == answer.status_code
    assert "Retry-After" in answer.headers
    assert 0 == services.runtime.inbox.backlog(0)


def test_bad_signature_is_refused_even_without_a_store(post, health):
    health.health = Health(faults=("The store cannot be reached.",))

    assert 401 == post(replace(GENUINE, body=b"x")).status_code


def test_unreachable_store_is_unavailable(make_services, health):
    store = edge_client("unix:///nowhere/socket")
    client = create_app(make_services(store)).test_client()

    answer = client.post("/webhooks/toy", data=GENUINE.body, headers=list(GENUINE.headers))

    assert 503 == answer.status_code
    assert (1, 1) == (health.doubts, health.turned_away)
    assert 401 == client.post("/webhooks/toy", data=b"x").status_code
    store.close()


def test_queue_that_is_down_costs_no_webhook(fake, make_services):

    down = edge_client("unix:///nowhere/socket")
    services = make_services(fake)
    runtime = replace(services.runtime, queue=JobQueue(down))
    services = replace(services, runtime=runtime)
    client = create_app(services).test_client()

    answer = client.post("/webhooks/toy", data=GENUINE.body, headers=list(GENUINE.headers))

    assert 200 == answer.status_code
    assert 1 == services.runtime.inbox.backlog(0)
    down.close()


def test_credentials_are_not_stored(post, services):
    post(GENUINE, Authorization="Basic c2VjcmV0", **{"Proxy-Authorization": "x"})
    post(replace(GENUINE, body=b"x"), Authorization="Basic c2VjcmV0")

    stored = services.runtime.inbox.load([keys.delivery_id("toy", GENUINE.body, 1)])[0]
    kept = dict(stored.delivery.headers)
    assert ("[redacted]", "[redacted]") == (kept["Authorization"], kept["Proxy-Authorization"])
    assert dict(GENUINE.headers)["X-Toy-Signature"] == kept["X-Toy-Signature"]
    assert "c2VjcmV0" not in repr(services.runtime.journal.latest("toy", 9)[0].delivery.headers)


@pytest.mark.parametrize("body", [GENUINE.body, b"forged"])
def test_tokens_of_the_adapter_are_not_stored_whether_it_is_kept_or_refused(post, services, body):
    path = "/webhooks/toy?a=%20b&token=s3cret&token=&c"
    post(replace(GENUINE, body=body), path=path, **{"X-Toy-Token": "s3cret"})

    kept = services.runtime.inbox.load([keys.delivery_id("toy", GENUINE.body, 1)])[0]
    if body == GENUINE.body:
        assert "a=%20b&token=[redacted]&token=[redacted]&c" == kept.delivery.query
        assert "s3cret" not in str(kept.delivery.headers)
    else:
        assert "s3cret" not in str(services.runtime.journal.latest("toy", 9)[0].delivery.headers)


def test_encoded_body_is_refused(post):
    answer = post(GENUINE, **{"Content-Encoding": "gzip"})

    assert Cause.MALFORMED.value == answer.json["cause"]


def test_body_over_the_limit_is_refused(fake, make_services):
    client = create_app(make_services(fake, max_body=2048)).test_client()

    answer = client.post("/webhooks/toy", data=b"x" * 2049)

    assert 413 == answer.status_code
    assert "application/problem+json" == answer.content_type


def test_every_answer_carries_a_request_id(client):
    given = client.post("/webhooks/toy", headers={"X-Request-Id": "abc-1"})
    strange = client.post("/webhooks/toy", headers={"X-Request-Id": "a b\tc"})

    assert "abc-1" == given.headers["X-Request-Id"] == given.json["request_id"]
    assert 32 == len(strange.headers["X-Request-Id"])
