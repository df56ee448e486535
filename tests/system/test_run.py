"""`gateway run`: as a developer uses it, and as it may die."""

import json
import shutil
import signal
import socket
import time

import pytest
from gateways import PATIENCE, Family, Run, wait_until

from gateway.client import GatewayClient, Refused, is_ready
from gateway.domain.events import SessionStatus

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

AUTHORIZED = {SessionStatus.AUTHORIZED}


@pytest.fixture
def family():
    family = Family()
    yield family
    family.kill()
    family.wait_until_gone()


@pytest.fixture
def start(tmp_path, family):
    """Starts gateways in one folder; those that still run at the test's end are killed."""
    started = []

    def start(*options, **environment):
        started.append(Run(tmp_path, family, *options, **environment))
        return started[-1]

    yield start
    for run in started:
        run.process.kill()
        run.process.wait()


def played(run, session_id):
    """What the two printed lines do, checked; the session afterwards."""
    create, simulate = run.lines_to_paste
    created = run.paste(create)
    assert session_id in created.stdout, created
    simulated = run.paste(simulate)
    assert 0 == simulated.returncode, simulated
    assert "payment_intent.amount_capturable_updated  200" in simulated.stdout
    with GatewayClient(run.url, run.token) as client:
        return client.wait_for(session_id, AUTHORIZED, PATIENCE)


@pytest.mark.skipif(not shutil.which("curl"), reason="the printed line uses curl")
def test_printed_lines_work_and_data_survive_a_restart(start, family):
    first = start().wait_until_ready()
    session = played(first, "ps_demo1")
    assert "EUR" in first.paste(first.lines_to_paste[1]).stdout
    assert 0 == first.stop(signal.SIGTERM)
    family.wait_until_gone()

    second = start().wait_until_ready()
    with GatewayClient(second.url, second.token) as client:
        assert session.payment_authorized_at == client.get("ps_demo1").payment_authorized_at
    assert first.token == second.token
    assert "ps_demo2" in second.lines_to_paste[1]
    played(second, "ps_demo2")
    assert 0 == second.stop(signal.SIGINT)
    family.wait_until_gone()


def test_programs_are_told_as_json_where_it_is_and_by_which_token(start):
    run = start("--json")
    wait_until(lambda: run.printed.endswith("\n"), "the gateway is not ready")
    told = json.loads(run.printed)
    assert is_ready(told["url"])
    with (
        GatewayClient(told["url"], told["token"]) as client,
        pytest.raises(Refused, match="no session"),
    ):
        client.get("ps_1")


def test_token_file_is_private(start, tmp_path):
    start("--data", "here").wait_until_ready()

    assert 0o600 == (tmp_path / "here" / "token").stat().st_mode & 0o777
    assert 0o700 == (tmp_path / "here").stat().st_mode & 0o777


def test_killed_gateway_leaves_no_process(start, family):
    run = start().wait_until_ready()
    roles = ["valkey-server", "granian", "jobs.worker", "jobs.cron", "gateway.supervisor"]
    assert all(family.named(role) for role in roles)
    assert family.named("jobs.worker", "settle")

    run.process.kill()
    run.process.wait()

    family.wait_until_gone()


@pytest.mark.parametrize("moment", [0.2, 0.5, 0.8, 1.1])
def test_stopping_while_starting_leaves_no_process(start, family, moment):
    run = start()
    time.sleep(moment)

    run.stop(signal.SIGTERM)

    family.wait_until_gone()


@pytest.mark.skipif(not shutil.which("curl"), reason="the printed line uses curl")
def test_killed_children_are_restarted_and_nothing_is_lost(start, family):
    run = start().wait_until_ready()
    for words in ("jobs.worker", "jobs.cron", "granian", "valkey-server"):
        leaders = [p for p in family.named(words) if p.ppid() == run.process.pid]
        assert (2 if words == "jobs.worker" else 1) == len(leaders)
        for leader in leaders:
            leader.kill()
    for role in ("worker", "settler", "cron", "web", "valkey"):
        line = f"{role} has died (signal 9); it is restarted."
        wait_until(lambda line=line: line in run.printed, line)
    wait_until(lambda: is_ready(run.url), "the restarted gateway is not ready")

    played(run, "ps_demo1")


def test_named_store_is_used_in_place_of_the_embedded_one(start, family, valkey_url, tmp_path):
    run = start(GATEWAY_STORE_URL=valkey_url).wait_until_ready()

    assert not family.named("valkey-server")
    assert 0 == run.stop(signal.SIGTERM)


def test_streamed_logs_replace_the_files(start, tmp_path):
    run = start("--logs").wait_until_ready()

    assert "Listening at" in run.printed
    assert not (tmp_path / ".data" / "logs").exists()


def test_taken_port_is_told_in_one_line(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = start("--port", str(port))
        assert 1 == run.process.wait(PATIENCE)

    assert run.printed.startswith(f"Error: Port {port} cannot be used")
    assert 1 == len(run.printed.splitlines())


def test_other_addresses_are_refused(start):
    run = start("--host", "0.0.0.0")

    assert 2 == run.process.wait(PATIENCE)
    assert "only 127.0.0.1" in run.printed
