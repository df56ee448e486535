"""The systemd units: they run what the Procfile says, and are what systemd reads."""

import re
import shlex
from pathlib import Path

import pytest

from gateway.config import load

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
BIN = "/opt/payment-webhook-gateway/current/bin/"
ROLES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line)
ROLE_UNITS = {
    "web": "gateway-web.service",
    "worker": "gateway-worker@.service",
    "settler": "gateway-settler@.service",
    "cron": "gateway-cron.service",
}
COMMON = UNITS / "gateway-.service.d" / "common.conf"
FILES = [COMMON, *sorted(UNITS.glob("*.service")), UNITS / "gateway.target"]


def directives(path):
    """Section → name → values, as systemd reads a unit: names may come again."""
    found, section = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = found.setdefault(header[1], {})
            continue
        name, mark, value = line.partition("=")
        assert mark, f"{path.name}: {line}"
        section.setdefault(name, []).append(value)
    return found


def service(unit):
    """What holds for a role: its own directives and the common ones."""
    own, common = directives(UNITS / unit)["Service"], directives(COMMON)["Service"]
    return {name: own.get(name, []) + common.get(name, []) for name in own.keys() | common}


def environment(unit):
    words = [word for line in service(unit)["Environment"] for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)


@pytest.mark.parametrize(("role", "unit"), ROLE_UNITS.items())
def test_unit_runs_the_line_of_the_procfile(role, unit):
    """The shell's `a && exec b` are a check before the start and the start."""
    told, defaults = service(unit), environment(unit)
    steps = told.get("ExecStartPre", []) + told["ExecStart"]
    assert all(step.startswith(BIN) for step in steps)
    line = " && exec ".join(step.removeprefix(BIN) for step in steps)

    given = re.sub(r"\$\{(\w+)\}", lambda m: f"${{{m[1]}:-{defaults[m[1]]}}}", line)
    assert ROLES[role] == given


def test_each_role_has_a_unit_and_the_target_starts_it():
    wanted = " ".join(directives(UNITS / "gateway.target")["Unit"]["Wants"]).split()
    templates = {re.sub(r"@\d+\.", "@.", name) for name in wanted}

    assert set(ROLES) == set(ROLE_UNITS)
    assert set(ROLE_UNITS.values()) == templates
    assert 1 == sum("cron" in name for name in wanted)


@pytest.mark.parametrize("unit", ROLE_UNITS.values())
def test_what_is_common_holds_for_each_role(unit):
    """systemd reads `gateway-.service.d` for units whose names begin so."""
    assert unit.startswith(COMMON.parent.name.removesuffix(".service.d"))
    both = directives(UNITS / unit)["Service"].keys() & directives(COMMON)["Service"].keys()
    assert both <= {"Environment"}


def test_roles_whose_secrets_are_read_again_are_asked_to_once_there_is_no_fault_in_them():
    asked = {role: service(unit).get("ExecReload") for role, unit in ROLE_UNITS.items()}
    check_and_ask = [f"{BIN}gateway config", "/bin/kill -HUP $MAINPID"]

    assert [check_and_ask] * 3 + [None] == [asked[role] for role in ROLES]


def test_metrics_are_where_the_folder_is_made():
    folder = directives(UNITS / "payment-webhook-gateway-metrics.service")["Service"]
    path = f"/run/{folder['RuntimeDirectory'][0]}"

    assert path == environment("gateway-worker@.service")["PROMETHEUS_MULTIPROC_DIR"]
    assert [path] == directives(COMMON)["Service"]["ReadWritePaths"]


def test_settings_are_those_that_there_are(tmp_path):
    """Both as shipped and with the example that is commented out."""
    text = (UNITS / "environment").read_text()
    text += "\n".join(re.findall(r"^# +(GATEWAY_\w+=.*)$", text, re.MULTILINE))
    given = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)) | environment(
        "gateway-worker@.service"
    )
    for name, path in given.items():
        if name.endswith("_FILE"):
            given[name] = str(tmp_path / Path(path).name)
            Path(given[name]).write_text("redis://localhost" if "URL" in name else "whsec_1")
    loaded = load(given)

    assert "redis://localhost" == loaded.store_url == loaded.queue_url
    assert ["stripe"] == list(loaded.instances)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_has_sections_that_systemd_knows(path):
    assert directives(path).keys() <= {"Unit", "Service", "Install"}


def test_roles_run_as_a_user_that_is_made():
    [line] = (UNITS / "sysusers.conf").read_text().splitlines()

    assert ["u", directives(COMMON)["Service"]["User"][0]] == line.split()[:2]
