"""Every line of the Procfile starts something that is there."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from granian.cli import cli as granian

from gateway.cli.development import WEB_OPTIONS

PROCFILE = Path(__file__).parents[1] / "Procfile"
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
ROLES = dict(line.split(": ", 1) for line in PROCFILE.read_text().splitlines() if line)


def words(role):
    """The command as a shell sees it where no variable is set."""
    return shlex.split(DEFAULT.sub(r"\1", ROLES[role]))


def test_each_role_has_a_line():
    assert ["web", "worker", "settler", "cron"] == list(ROLES)


def test_web_serves_the_application_to_everybody():
    check, _, served = ROLES["web"].partition(" && exec ")
    command, *arguments = shlex.split(DEFAULT.sub(r"\1", served))

    # granian would start its worker again and again over a configuration with faults.
    assert "gateway config" == check
    # granian's own parser refuses options that it does not know.
    options = granian.make_context(command, arguments).params
    assert "gateway.wsgi:app" == options["app"]
    assert find_spec("gateway.wsgi")
    assert ("0.0.0.0", 8080) == (options["host"], options["port"])
    assert "wsgi" == options["interface"]
    assert " ".join(WEB_OPTIONS) in served


@pytest.mark.parametrize(
    ("role", "module", "arguments"),
    [
        ("worker", "jobs.worker", []),
        ("settler", "jobs.worker", ["settle"]),
        ("cron", "jobs.cron", []),
    ],
)
def test_background_roles_are_modules(role, module, arguments):
    assert ["python", "-m", module, *arguments] == words(role)
    assert find_spec(module)
