"""What a request costs in the store: each command is a round trip that somebody waits for."""

import threading
import time
from typing import Self

import pytest
import requests
from processes import Gateway, stripe

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

COUNT = 40
# The store's health, asked once a second by each process, and what RQ enqueues for a burst.
ASIDE = {"INFO", "TIME", "CONFIG GET", "HELLO", "CLIENT", "SADD", "HSET", "RPUSH", "EXPIRE"}


@pytest.fixture
def gateway(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("g"))
    gateway.start()
    gateway.roles["worker"].stop()
    gateway.roles["settler"].stop()
    gateway.roles["cron"].stop()
    yield gateway
    gateway.stop()


class Watch:
    """The commands that come to the store from outside: scripts' own ones are no round trips."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.seen: list[str] = []

    def __enter__(self) -> Self:
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        assert self._watching.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        with self._gateway.client() as client:
            client.echo("that was all")
        self._thread.join()

    def _watch(self) -> None:
        with self._gateway.client() as client, client.monitor() as monitor:
            self._watching.set()
            for told in monitor.listen():
                if "that was all" in told["command"]:
                    return
                if told["client_type"] != "lua":
                    self.seen.append(told["command"])

    def count(self, start: str) -> int:
        return sum(command.startswith(start) for command in self.seen)


def test_webhook_is_one_round_trip(gateway):
    gateway.create("ps_1")
    made = [stripe(f"evt_{n}", "payment_intent.processing", "ps_1") for n in range(COUNT)]
    gateway.post(made[0])
    with requests.Session() as provider, Watch(gateway) as watch:
        for one in made[1:]:
            answer = provider.post(gateway.url + one.path, one.body, headers=dict(one.headers))
            assert 200 == answer.status_code

    assert COUNT - 1 == watch.count("FCALL gateway_append")
    others = [c for c in watch.seen if not c.startswith("FCALL gateway_append")]
    assert [] == [c for c in others if not c.startswith(tuple(ASIDE))]


def test_duplicate_waits_for_no_disk(gateway):
    made = stripe("evt_1", "payment_intent.processing", "ps_1")
    gateway.post(made)
    with gateway.client() as client:
        before = client.info("persistence")["aof_current_size"]
        assert [200] * 3 == [gateway.post(made) for _ in range(3)]

        assert before == client.info("persistence")["aof_current_size"]
        assert [b"3"] == [client.hget(key, "duplicates") for key in client.keys("delivery:*")]


def test_poll_of_an_unchanged_session_is_one_round_trip(gateway):
    gateway.create("ps_1")
    tag = gateway.api("GET", "/sessions/ps_1").headers["ETag"]
    time.sleep(0.1)
    with Watch(gateway) as watch:
        for _ in range(COUNT):
            answer = gateway.api("GET", "/sessions/ps_1", headers={"If-None-Match": tag})
            assert 304 == answer.status_code

    # The token is remembered for seconds, not for ever.
    others = [
        c for c in watch.seen if not c.startswith(("HMGET session:", *ASIDE, "HGETALL token"))
    ]
    assert COUNT == watch.count("HMGET session:")
    assert [] == others
