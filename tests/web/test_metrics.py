import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import toy
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway.store.health import Health

DEPLOY = Path(__file__).parents[2] / "deploy"
GENUINE = toy.signed(toy.told("e1"))


@pytest.fixture
def scrape(api):
    """All samples by name and labels."""

    def call():
        answer = api("GET", "/metrics", token="reader")
        assert 200 == answer.status_code, answer.text
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return call


@pytest.fixture
def grown(scrape):
    """How much counters have grown: all tests of a process count together."""
    before = scrape()
    return lambda *key: scrape().get(key, 0) - before.get(key, 0)


def test_scrape_needs_a_token(client):
    assert 401 == client.get("/metrics").status_code


def test_webhooks_are_counted_by_what_became_of_them(post, grown):
    post(GENUINE)
    post(GENUINE)
    post(replace(GENUINE, body=GENUINE.body + b" "))

    for outcome in ("kept", "duplicate", "refused"):
        assert 1 == grown("gateway_webhooks_total", outcome, "toy")
    assert 1 == grown("gateway_refusals_total", "bad_signature", "toy")
    assert 3 == grown("gateway_acknowledgement_seconds_count")


def test_what_a_drain_does_is_counted(webhook, create, grown):
    create()
    webhook(toy.told("e1", reference="ps_1", status="authorized"))

    assert 1 == grown("gateway_decisions_total", "applied", "toy")
    assert 1 == grown("gateway_transitions_total", "authorized", "pending")
    assert 1 == grown("gateway_deliveries_finished_total", "applied", "toy")
    assert 1 == grown("gateway_secret_matches_total", "secrets[0]", "toy")
    assert 1 == grown("gateway_applied_lag_seconds_count")
    assert 1 == grown("gateway_received_lag_seconds_count", "toy")


def test_polls_are_counted_by_their_answer(api, create, grown):
    create()
    tag = api("GET", "/sessions/ps_1").headers["ETag"]
    api("GET", "/sessions/ps_1", headers={"If-None-Match": tag})

    assert (1, 1) == tuple(grown("gateway_polls_total", a) for a in ("changed", "unchanged"))


def test_gauges_tell_what_waits(post, scrape, drained):
    post(GENUINE)
    assert 1 == scrape()["gateway_inbox_depth", "0"]
    assert scrape()["gateway_inbox_oldest_seconds", "0"] >= 0

    drained()
    found = scrape()
    assert 0 == found["gateway_inbox_depth", "0"]
    assert 1 == found["gateway_ready",]
    assert 0 == found["gateway_workers", "gateway"]
    assert 1 == sum(found["gateway_deliveries", state] for state in ("applied", "parked"))


def test_store_that_cannot_promise_anything_is_told(scrape, health):
    health.health = Health(("The store is nearly full.",), used_memory=9, max_memory=10)
    found = scrape()

    assert (0, 9, 10) == (
        found["gateway_ready",],
        found["gateway_store_used_bytes",],
        found["gateway_store_max_bytes",],
    )


@pytest.mark.parametrize("file", ["alerts.yml", "grafana-dashboard.json"])
def test_dashboard_and_alerts_name_what_there_is(file, api, post):
    post(GENUINE)
    answer = api("GET", "/metrics", token="reader").text
    known = {family.name for family in text_string_to_metric_families(answer)}
    text = (DEPLOY / file).read_text(encoding="utf-8")
    named = set(re.findall(r"\bgateway_[a-z_]+", text))
    families = {re.sub("_(total|bucket|count|sum)$", "", name) for name in named}

    assert families
    assert set() == families - known


def test_every_metric_is_on_the_dashboard(api):
    answer = api("GET", "/metrics", token="reader").text
    families = [f.name for f in text_string_to_metric_families(answer)]
    # The client tells for each counter since when it counts.
    ours = {n for n in families if n.startswith("gateway_") and not n.endswith("_created")}
    text = (DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8")

    assert [] == [name for name in sorted(ours) if name not in text]


def test_alerts_are_rules_with_what_to_do():
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))["groups"][0][
        "rules"
    ]

    assert all({"alert", "expr", "labels", "annotations"} <= rule.keys() for rule in rules)
    assert len(rules) == len({rule["alert"] for rule in rules})


def test_dashboard_is_one():
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))

    assert len(board["panels"]) == len({panel["title"] for panel in board["panels"]})
