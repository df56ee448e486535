"""The overview over HTTP; the console's page shows the same (tests/web/test_console.py)."""

from dataclasses import replace

import toy

from gateway.store.health import Health


def test_overview_tells_what_the_console_tells(api, create, webhook, post, health, clock):
    create()
    webhook(toy.told("e1"))
    webhook(toy.told("e2", amount=600, session_id="ps_2"))
    genuine = toy.signed(toy.told("e3"))
    post(replace(genuine, body=genuine.body + b" "))
    create("ps_2")
    health.health = Health(faults=("The store does not persist.",), used_memory=7)

    told = api("GET", "/overview").json

    day = {one["name"]: one for one in told["providers"]}["toy"]
    counts = {"received": 2, "refused": 1, "applied": 1, "parked": 1, "dead": 0}
    assert (counts, counts) == (day["last_hour"], day["last_day"])
    assert 24 == len(day["hours"])
    assert day["hours"][-1]["applied_within"] == 0.01
    assert 7 == told["store"]["used_memory"]
    assert {"count": 1} == {k: v for k, v in told["waiting"].items() if k == "count"}
    assert told["waiting"]["oldest_at"] is not None
    assert {"gateway", "gateway-settle"} == {queue["name"] for queue in told["queues"]}
    needs = {(need["topic"], need["name"]) for need in told["needs"]}
    assert {("store", ""), ("store", "gateway"), ("store", "gateway-settle")} == needs


def test_overview_wants_the_scope_to_read(api):
    assert 403 == api("GET", "/overview", token="writer").status_code
