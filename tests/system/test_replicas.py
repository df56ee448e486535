"""What is acknowledged only once replicas have it, over a real replica that is stopped."""

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


@pytest.fixture
def pair(short_folder):
    """Makes inboxes that ask for one replica; and gives the replica's process."""
    primary, replica = (Server.within(short_folder / name) for name in ("primary", "replica"))
    try:
        primary.start("store.conf")
        replica.start("store.conf", lines=[f"replicaof 127.0.0.1 {primary.port}"])
        with primary.client() as client:
            eventually(lambda: client.wait(1, 1000) == 1, "the replica follows")
            add_token(client)

        def inbox():
            made = Inbox(edge_client(primary.url("gateway")), shards=1, replicas=1)
            made.open()
            return made

        yield inbox, psutil.Process(replica.role.process.pid)
    finally:
        for one in (primary, replica):
            one.stop()


def append(inbox, key):
    return inbox.append(builders.delivery(key), key, secret="s", settled=True)


def test_neither_a_webhook_nor_its_repetition_is_acknowledged_without_a_replica(pair):
    make, replica = pair
    inbox, of_another_process = make(), make()
    assert append(inbox, b"first").new
    replica.suspend()
    try:
        for one in (inbox, of_another_process):
            with pytest.raises(StoreUnavailable, match="Only 0 of the store's replicas"):
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
