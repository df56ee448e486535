"""The benchmark measures what it says: its webhooks are genuine, its answers are counted."""

import acknowledge
import polling
import pytest
import rows
from load import percentile
from stage import stage
from traffic import webhook, webhooks

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


@pytest.mark.parametrize("session", range(4))
@pytest.mark.parametrize("event", [0, 1])
def test_webhooks_are_signed_and_as_long_as_providers_ones(session, event):
    made = webhook(session, event)
    instance = made.instance

    assert instance.adapter.verify(made.delivery, instance.config).settled
    assert 2500 < len(made.delivery.body) < 4200
    assert instance.adapter.read(made.delivery, instance.config)


def test_each_webhook_is_another_delivery():
    assert 40 == len({one.delivery_id for one in webhooks(0, 8, 5)})


def test_a_round_of_the_edge_and_of_polls_accounts_for_all(monkeypatch):
    monkeypatch.setattr(acknowledge, "COUNT", 40)
    monkeypatch.setattr(polling, "COUNT", 40)
    monkeypatch.setattr(polling, "SESSIONS", 4)
    with stage() as made:
        made.start("web", "floor")
        edge, polls = acknowledge.Edge(made), polling.Polls(made)
        edge.round()
        polls.round()
        floor, ours = edge.paced(500.0, 20)

    assert [1] * 5 == [len(found) for found in (edge.rates | polls.rates).values()]
    assert ({200: 20}, {200: 20}) == (floor.statuses, ours.statuses)


def test_rows_tell_whether_the_goal_is_reached():
    assert rows.at_least("m", [3.0, 1.0, 2.0], "floor", [2.0], 1).reached
    assert not rows.at_most("m", [3.0], "floor", [2.0], 1.4, "µs").reached
    row = rows.within("m", 1024.0, 1536.0, "KiB", 1024.0)
    assert ("1.0 KiB", "≤ 1.5 KiB", True) == (row.ours, row.goal, row.reached)


def test_percentile_is_of_all_values():
    assert 50 == percentile([*range(1, 100)], 50)
