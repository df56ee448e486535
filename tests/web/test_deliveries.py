from dataclasses import replace

import toy
from structlog.testing import capture_logs
from test_ingress import GENUINE

from gateway.store.keys import DeliveryState


def applied(api):
    return api("GET", "/deliveries?state=applied").json["deliveries"]


def test_delivery_is_listed_and_shown_whole(api, create, webhook):
    create()
    webhook(toy.told("e1"))

    (listed,) = applied(api)
    shown = api("GET", f"/deliveries/{listed['id']}").json

    assert ("toy", "applied", "secrets[0]") == tuple(
        listed[name] for name in ("provider_id", "state", "secret")
    )
    assert '"e1"' in shown["body"]
    assert "repeated" == shown["effects"][0]["outcome"]
    assert ["X-Toy-Signature"] == [
        name for name, _ in shown["headers"] if name.lower() == "x-toy-signature"
    ]


def test_dead_letter_is_replayed_by_one_call(api, create, webhook, services, drained):
    create()
    webhook("crash")
    dead = api("GET", "/deliveries").json["deliveries"]
    assert [] == dead

    body = {"state": "applied", "dry_run": True}
    webhook(toy.told("e1"))
    told = api("POST", "/deliveries/replay", json=body).json
    assert (0, ["repeated"]) == (
        told["replayed"],
        [effect["outcome"] for effect in told["previews"][0]["effects"]],
    )

    (listed,) = applied(api)
    assert 202 == api("POST", f"/deliveries/{listed['id']}/replay").status_code
    assert DeliveryState.RECEIVED is services.runtime.inbox.load([listed["id"]])[0].state
    drained()
    assert "api:all" in api("GET", f"/deliveries/{listed['id']}").json["asked"]


def test_pages_follow_one_another(api, create, webhook):
    create()
    for number in range(3):
        webhook(toy.told(f"e{number}", change=["refunded", f"r{number}"]))

    first = api("GET", "/deliveries?state=applied&limit=2").json
    second = api("GET", f"/deliveries?state=applied&limit=2&cursor={first['next_cursor']}").json

    assert (2, 1, None) == (
        len(first["deliveries"]),
        len(second["deliveries"]),
        second["next_cursor"],
    )
    assert 422 == api("GET", "/deliveries?cursor=odd").status_code


def test_refused_request_is_diagnosed_and_verified_again(api, create, post, services):
    create()
    signature = GENUINE.header_values("X-Toy-Signature")[0]
    forged = replace(GENUINE, headers=(("X-Toy-Signature", "0" * len(signature)),))
    assert 401 == post(forged).status_code

    (one,) = api("GET", "/rejections?provider_id=toy").json["rejections"]
    shown = api("GET", f"/rejections/toy/{one['id']}").json
    again = api("POST", f"/rejections/toy/{one['id']}/reverify").json

    assert "bad_signature" == one["cause"]
    assert ["secrets[0]"] == shown["diagnosis"]["secrets"]
    assert "No configured secret fits" in shown["diagnosis"]["advice"]
    assert (None, True) == (again["delivery_id"], again["why"].startswith("bad_signature"))


def test_readers_look_and_only_operators_act(api, webhook, create):
    create()
    webhook(toy.told("e1"))
    (listed,) = applied(api)

    assert 200 == api("GET", f"/deliveries/{listed['id']}", token="reader").status_code
    for path in (f"/deliveries/{listed['id']}/replay", "/rejections/toy/1-1/reverify"):
        assert 403 == api("POST", path, token="writer").status_code


def test_what_is_not_there_is_not_found(api):
    unknown = "dlv_00" + "0" * 32
    assert 404 == api("GET", f"/deliveries/{unknown}").status_code
    assert 422 == api("GET", "/deliveries/odd").status_code
    assert 404 == api("GET", "/rejections/toy/odd").status_code


def test_request_id_leads_from_the_answer_to_the_job_and_its_log(api, webhook):
    with capture_logs() as lines:
        answer = webhook(toy.told("e1"))

    (waiting,) = api("GET", "/deliveries?state=parked").json["deliveries"]
    request_id = answer.headers["X-Request-Id"]
    assert request_id == waiting["request_id"]
    (line,) = (line for line in lines if line["event"] == "delivery_finished")
    assert (request_id, waiting["id"]) == (line["request_id"], line["delivery"])
