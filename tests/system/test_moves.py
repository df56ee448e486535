"""From one machine to several, as docs/deployment.md says: no webhook is lost on the way."""

import shutil

import pytest
from processes import Gateway, add_token, eventually, free_port, stripe
from stores import Sentinel, Server

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

AUTHORIZED = "payment_intent.amount_capturable_updated"
ROLES = ("worker", "settler", "cron", "web")
SLOTS = 16384


class Moving(Gateway):
    """A gateway whose store runs beside it, and may become another one."""

    def use(self, store_url, queue_url, **settings):
        """What the roles have from their next start on."""
        urls = {"GATEWAY_STORE_URL": store_url, "GATEWAY_QUEUE_URL": queue_url}
        for name in ROLES:
            self.roles[name].environment |= urls | settings

    def restart(self):
        for name in ROLES:
            self.roles[name].stop()
            self.roles[name].start()
        eventually(self.is_ready, f"ready; see {self.folder}")

    def stop(self):
        for name in ROLES:
            self.roles[name].stop()

    def takes(self, *numbers):
        """Each webhook is acknowledged in the end: its provider sends it until it is."""
        for number in numbers:
            eventually(lambda n=number: self.post(refund(n)) == 200, f"acknowledged: {number}")

    def has_applied(self, *event_ids):
        """Each of the events stands in the session's history once."""

        def events():
            told = [one for one in self.decisions("ps_1") if one["source"] == "stripe"]
            return sorted(one["event_id"] for one in told)

        eventually(lambda: sorted(event_ids) == events(), f"applied once each: {event_ids}")


def refund(number):
    return stripe(f"evt_{number}", "refund.created", "ps_1", id=f"re_{number}", amount=1)


@pytest.fixture
def server(short_folder):
    """Makes servers, each in a folder of its own."""
    made = []

    def make(name, kind=Server):
        made.append(kind.within(short_folder / name))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def store(server):
    made = server("store")
    made.start("store.conf")
    with made.client() as client:
        add_token(client)
    return made


@pytest.fixture
def moving(store, short_folder):
    """A gateway on one machine, with a payment in its store."""
    folder = short_folder / "gateway"
    folder.mkdir()
    gateway = Moving(folder)
    gateway.use(store.url("gateway"), store.url("queue"))
    try:
        gateway.restart()
        gateway.create("ps_1")
        assert 200 == gateway.post(stripe("evt_1", AUTHORIZED, "ps_1"))
        gateway.has_applied("evt_1")
        yield gateway
    finally:
        gateway.stop()


def test_replicas_join_and_sentinels_replace_a_primary_that_dies(moving, store, server):
    replicas = [server(f"replica{number}") for number in (1, 2)]
    for replica in replicas:
        replica.start("store.conf", "replicated.conf", lines=[f"replicaof 127.0.0.1 {store.port}"])
        eventually(lambda one=replica: follows(one), "the replica has all of the data")
    with store.client() as client:
        client.config_set("min-replicas-to-write", 1)
    sentinels = [server(f"sentinel{number}", Sentinel) for number in (1, 2, 3)]
    for sentinel in sentinels:
        sentinel.watch(store)
    eventually(lambda: all(one.knows() == (2, 2) for one in sentinels), "they know all others")

    urls = [watched_url(sentinels, user) for user in ("gateway", "queue")]
    moving.use(*urls, GATEWAY_ACK_REPLICAS="1")
    moving.restart()
    moving.takes(2, 3)
    assert [] == store.refused()
    store.role.kill()
    assert 503 == moving.post(refund(4))
    moving.takes(4, 2)
    moving.has_applied("evt_1", "evt_2", "evt_3", "evt_4")
    assert [[], []] == [replica.refused() for replica in replicas]


def watched_url(sentinels, user):
    hosts = ",".join(f"127.0.0.1:{one.port}" for one in sentinels)
    return f"redis+sentinel://{user}:{user}@{hosts}/gateway"


def test_one_server_becomes_a_cluster_over_the_same_data(moving, store, server):
    queue = server("queue")
    queue.start("store.conf")
    moving.use(store.url("gateway"), queue.url("queue"))
    moving.restart()
    moving.takes(2)

    store.stop()
    assert 503 == moving.post(refund(3))
    start_node(store)
    with store.client() as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", *slots_of_nobody(client))
    # It has all slots, so that the old URL still serves.
    moving.takes(3, 2)
    moving.has_applied("evt_1", "evt_2", "evt_3")
    moving.use(f"redis+cluster://gateway:gateway@127.0.0.1:{store.port}", queue.url("queue"))
    moving.restart()

    other = server("other")
    bus = start_node(other)
    with store.client() as client:
        client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, bus)
    move_all_slots(store, other)
    moving.takes(4, 3)
    moving.has_applied("evt_1", "evt_2", "evt_3", "evt_4")
    assert [[], []] == [node.refused() for node in (store, other)]


def follows(replica):
    with replica.client() as client:
        return client.info("replication")["master_link_status"] == "up"


def start_node(server):
    """Starts it as a node; the port on which it talks to others, by default its own and 10,000."""
    bus = free_port()
    server.start("store.conf", "cluster.conf", lines=[f"cluster-port {bus}"])
    return bus


def slots_of_nobody(client):
    """Starts and ends of what no node has: a server takes the slots of its keys by itself."""
    bounds, at = [], 0
    for start, end, _ in [*slots(client), (SLOTS, SLOTS, 0)]:
        if at < start:
            bounds += [at, start - 1]
        at = end + 1
    return bounds


def slots(client):
    """Starts and ends of what the nodes have, and the port of the primary that has it."""
    told = client.execute_command("CLUSTER SLOTS")
    return sorted((int(start), int(end), int(primary[1])) for start, end, primary, *_ in told)


def move_all_slots(source, target):
    with source.client() as of_source, target.client() as of_target:
        # Valkey moves slots as this user, and `replica` must not write.
        of_source.config_set("masteruser", "operator", "masterauth", "operator")
        name = of_target.execute_command("CLUSTER MYID")
        all_slots = (0, SLOTS - 1)
        unmoved, moved = [[(*all_slots, one.port)] for one in (source, target)]
        eventually(lambda: unmoved == slots(of_target), "the target knows who has the slots")
        of_source.execute_command("CLUSTER MIGRATESLOTS", "SLOTSRANGE", *all_slots, "NODE", name)
        eventually(lambda: moved == slots(of_source) == slots(of_target), "the slots have moved")


def test_backup_of_a_replica_is_a_store_again(store, server):
    replica = server("replica")
    replica.start("store.conf", "replicated.conf", lines=[f"replicaof 127.0.0.1 {store.port}"])
    eventually(lambda: follows(replica), "the replica has all of the data")
    copy = server("copy")
    shutil.copytree(replica.folder / "appendonlydir", copy.folder / "appendonlydir")
    copy.start("store.conf")

    with store.client() as before, copy.client() as after:
        assert before.smembers("tokens")
        assert before.smembers("tokens") == after.smembers("tokens")
        assert "master" == after.info("replication")["role"]


def test_backup_of_a_node_has_its_slots(store, server):
    store.stop()
    start_node(store)
    with store.client() as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", *slots_of_nobody(client))
    copy = server("copy")
    shutil.copytree(store.folder / "appendonlydir", copy.folder / "appendonlydir")
    shutil.copy(store.folder / "nodes.conf", copy.folder)
    store.stop()
    start_node(copy)

    eventually(lambda: serves(copy), "the copy is a cluster")
    with copy.client() as client:
        assert [(0, SLOTS - 1, copy.port)] == slots(client)
        assert client.smembers("tokens")


def serves(node):
    with node.client() as client:
        return client.execute_command("CLUSTER INFO")["cluster_state"] == "ok"
