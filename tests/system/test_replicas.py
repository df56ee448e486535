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
from gateway.store.sessions import Sessions

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


@pytest.fixture(params=[1, 2])
def wanted(request):
    """How many replicas there are, all of which must have what is acknowledged."""
    return request.param


@pytest.fixture
def stores(short_folder, wanted):
    """Makes clients of the primary; and gives the process of a replica."""
    primary = Server.within(short_folder / "primary")
    replicas = [Server.within(short_folder / f"replica{number}") for number in range(wanted)]
    try:
        primary.start("store.conf")
        for one in replicas:
            one.start("store.conf", lines=[f"replicaof 127.0.0.1 {primary.port}"])
        with primary.client() as client:
            eventually(lambda: client.wait(wanted, 1000) == wanted, "the replicas follow")
            add_token(client)

        yield (
            lambda: edge_client(primary.url("gateway")),
            psutil.Process(replicas[-1].role.process.pid),
        )
    finally:
        for one in (primary, *replicas):
            one.stop()


def inbox_of(client, wanted):
    made = Inbox(client, shards=1, replicas=wanted)
    made.open()
    return made


def append(inbox, key):
    return inbox.append(builders.delivery(key), key, secret="s", settled=True)


def test_nothing_is_acknowledged_without_its_replicas(stores, wanted):
    """Neither a webhook nor its repetition, nor that a payment's id is known."""
    client, replica = stores
    inbox, of_another_process = (inbox_of(client(), wanted) for _ in range(2))
    assert append(inbox, b"first").new
    replica.suspend()
    try:
        for one in (inbox, of_another_process):
            with pytest.raises(StoreUnavailable, match=f"Only {wanted - 1} of the store"):
                append(one, b"second")
        with pytest.raises(StoreUnavailable, match=f"Only {wanted - 1} of the store"):
            Sessions(client(), wanted).learn([("stripe", "pi_1", "ps_1")])
    finally:
        replica.resume()

    def acknowledged():
        try:
            return not append(inbox, b"second").new
        except (StoreUnavailable, RedisError):
            return False

    eventually(acknowledged, "the replica has caught up")
    assert 2 == inbox.backlog(0)
