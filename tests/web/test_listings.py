import pytest
import toy


def ids(answer):
    return [session["id"] for session in answer.json["sessions"]]


def test_many_are_read_by_id_at_once(api, create):
    for session_id in ("ps_1", "ps_2"):
        create(session_id)

    assert ["ps_2", "ps_1"] == ids(api("GET", "/sessions?ids=ps_2,ps_9,ps_1"))


def test_a_hundred_ids_at_most(api):
    listed = ",".join(f"ps_{number}" for number in range(101))

    assert 422 == api("GET", f"/sessions?ids={listed}").status_code


def test_sessions_are_filtered_by_status_provider_and_time(api, create, webhook, clock):
    create("ps_1")
    clock.advance(seconds=10)
    since = clock.now.isoformat().replace("+00:00", "Z")
    create("ps_2", provider_id="toy-eu")
    create("ps_3")
    clock.advance(seconds=1)
    webhook(toy.told("e1", "ps_3"))

    assert ["ps_3"] == ids(api("GET", "/sessions?status=authorized"))
    assert ["ps_1", "ps_2"] == ids(api("GET", "/sessions?status=pending"))
    assert ["ps_1", "ps_3"] == ids(api("GET", "/sessions?provider_id=toy"))
    assert ["ps_2", "ps_3"] == ids(api("GET", f"/sessions?updated_since={since}"))


def test_pages_follow_each_other_by_their_cursor(api, create, clock):
    for number in range(5):
        clock.advance(seconds=1)
        create(f"ps_{number}")
    first = api("GET", "/sessions?limit=2")
    second = api("GET", f"/sessions?limit=2&cursor={first.json['next_cursor']}")
    third = api("GET", f"/sessions?limit=2&cursor={second.json['next_cursor']}")

    assert [["ps_0", "ps_1"], ["ps_2", "ps_3"], ["ps_4"]] == [ids(first), ids(second), ids(third)]
    assert third.json["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    ["status=paid", "limit=0", "limit=101", "cursor=x", "updated_since=yesterday", "wat=1"],
)
def test_strange_filter_is_refused(api, query):
    assert 422 == api("GET", f"/sessions?{query}").status_code
