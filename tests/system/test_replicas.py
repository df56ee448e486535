"""What is acknowledged only once replicas have it, over real replicas of which one is stopped."""

import builders
import psutil
import pytest
from processes import add_token, eventually
from redis.exceptions import RedisError
from stores import Server

from gateway.domain.errors import StoreUnavailable
from gateway.store.clients import edge_client
from gateway.store.inbox import Inbox

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


@pytest.fixture(params=[1, 2])
def wanted(request):
    """How many replicas there are, all of which must have what is acknowledged."""
    return request.param


@pytest.fixture
def stores(short_folder, wanted):
    """Makes inboxes that ask for all replicas; and gives the process of one of these."""
    primary = Server.within(short_folder / "primary")
    replicas = [Server.within(short_folder / f"replica{number}") for number in range(wanted)]
    try:
        primary.start("store.conf")
        for one in replicas:
            one.start("store.conf", lines=[f"replicaof 127.0.0.1 {primary.port}"])
        with primary.client() as client:
            eventually(lambda: client.wait(wanted, 1000) == wanted, "the replicas follow")
            add_token(client)

        def inbox():
            made = Inbox(edge_client(primary.url("gateway")), shards=1, replicas=wanted)
            made.open()
            return made

        yield inbox, psutil.Process(replicas[-1].role.process.pid)
    finally:
        for one in (primary, *replicas):
            one.stop()


def append(inbox, key):
    return inbox.append(builders.delivery(key), key, secret="s", settled=True)


def test_neither_a_webhook_nor_its_repetition_is_acknowledged_without_a_replica(stores, wanted):
    make, replica = stores
    inbox, of_another_process = make(), make()
    assert append(inbox, b"first").new
    replica.suspend()
    try:
        for one in (inbox, of_another_process):
            with pytest.raises(StoreUnavailable, match=f"Only {wanted - 1} of the store"):
                append(one, b"second")
    finally:
        replica.resume()

    def acknowledged():
        try:
            return not append(inbox, b"second").new
        except (StoreUnavailable, RedisError):
            return False

    eventually(acknowledged, "the replica has caught up")
    assert 2 == inbox.backlog(0)
