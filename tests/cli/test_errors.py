"""Errors tell what to do; nobody is shown a traceback."""

import pytest
from click.testing import CliRunner

from gateway.cli import main


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    monkeypatch.delenv("GATEWAY_STORE_URL", raising=False)


@pytest.mark.parametrize("command", [["config"], ["token", "list"]])
def test_missing_configuration_names_the_variable(command):
    failed = CliRunner().invoke(main, command)

    assert 1 == failed.exit_code
    assert "  - GATEWAY_STORE_URL: " in failed.stderr
    assert "Traceback" not in failed.output


def test_store_that_is_away_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWAY_STORE_URL", f"unix://{tmp_path}/nobody")

    failed = CliRunner().invoke(main, ["token", "list"])
    assert 1 == failed.exit_code
    assert failed.stderr.startswith("Error: The store cannot be reached")
    assert 1 == len(failed.stderr.splitlines())


def test_configuration_is_shown_without_secrets(monkeypatch):
    monkeypatch.setenv("GATEWAY_STORE_URL", "redis://:hunter2@localhost")
    monkeypatch.setenv("GATEWAY_STRIPE_WEBHOOK_SECRETS", "whsec_hunter3")

    shown = CliRunner().invoke(main, ["config"])
    assert 0 == shown.exit_code, shown.output
    assert ["instances", "stripe"] in [line.split() for line in shown.stdout.splitlines()]
    assert "hunter" not in shown.output


def test_help_names_every_command():
    shown = CliRunner().invoke(main, ["--help"])

    commands = {
        line.split()[0] for line in shown.stdout.partition("Commands:")[2].split("\n  ")[1:]
    }
    assert {"config", "demo", "run", "simulate", "token"} <= commands


def test_unknown_command_is_refused():
    assert 2 == CliRunner().invoke(main, ["conjure"]).exit_code
