from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.store.clients import edge_client
from gateway.store.health import Health, HealthWatch, check


def now():
    return datetime.now(UTC)


def test_shipped_configuration_is_healthy(valkey):
    health = check(valkey, now)

    assert health.ok
    assert () == health.warnings
    assert health.used_memory > 0


@pytest.fixture
def configure(valkey):
    """Changes a setting of the server, and puts it back."""
    before = {}

    def change(name, value):
        before.setdefault(name, valkey.config_get(name)[name])
        valkey.config_set(name, value)

    yield change
    for name, value in before.items():
        valkey.config_set(name, value)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"appendonly": "no"}, "appendonly yes"),
        ({"maxmemory-policy": "allkeys-lru", "maxmemory": "1gb"}, "noeviction"),
        ({"maxmemory": "1mb"}, "nearly full"),
        ({"min-replicas-to-write": "1"}, "no replica follows it"),
    ],
)
def test_store_that_cannot_keep_promises_is_at_fault(valkey, configure, settings, fault):
    for name, value in settings.items():
        configure(name, value)

    health = check(valkey, now)

    assert not health.ok
    assert fault in " ".join(health.faults)
    with pytest.raises(StoreUnavailable, match=fault):
        health.require()


def test_sync_once_a_second_is_a_warning(valkey, configure):
    configure("appendfsync", "everysec")

    health = check(valkey, now)

    assert health.ok
    assert "appendfsync always" in health.warnings[0]


def test_unreachable_store_is_a_fault():
    client = edge_client("unix:///nowhere/socket")

    assert "cannot be reached" in check(client, now).faults[0]
    client.close()


def test_watch_asks_seldom_until_it_is_in_doubt(valkey, configure):
    watch = HealthWatch(valkey, now, max_age=3600)
    assert watch().ok
    configure("appendonly", "no")
    assert watch().ok
    watch.doubt()

    assert not watch().ok


def test_health_without_faults_requires_nothing():
    Health(faults=()).require()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(600, "600 s ahead of the store's"), (-600, "600 s behind the store's")],
)
def test_clock_that_is_off_is_a_warning(valkey, seconds, words):
    health = check(valkey, lambda: now() + timedelta(seconds=seconds))

    assert health.ok
    (warning,) = health.warnings
    assert words in warning
    assert abs(health.clock_ahead - seconds) < 5
