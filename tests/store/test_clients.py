import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import ResponseError

from gateway.store.clients import edge_client


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
