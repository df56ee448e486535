"""The container file and the composition: what can be known of them without an engine."""

import json
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from gateway.config import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ROLES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line)
INSTRUCTION = re.compile(r"^([A-Z]+) +(.*)$", re.DOTALL)


def instructions():
    """Instruction and argument of each line of the container file."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [INSTRUCTION.fullmatch(line).groups() for line in lines if line]


def stages():
    """The instructions of each stage."""
    found = []
    for name, argument in instructions():
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, argument))
    return found


def said(stage, name):
    return [argument for one, argument in stage if one == name]


def exec_form(argument):
    return json.loads(argument[argument.index("[") :])


def copied():
    """What the container file takes from the context."""
    arguments = [a.split() for stage in stages() for a in said(stage, "COPY") if "--from" not in a]
    return [source for words in arguments for source in words[:-1]]


def composition():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def test_image_runs_the_web_line_of_the_procfile():
    assert ["sh", "-c", ROLES["web"]] == exec_form(said(stages()[-1], "CMD")[0])


def test_image_is_of_two_stages_and_nobody_in_it_is_root():
    build, result = stages()

    assert ["10001:10001"] == said(result, "USER")
    assert ["SIGTERM"] == said(result, "STOPSIGNAL")
    assert ["--from=build /opt/payment-webhook-gateway /opt/payment-webhook-gateway"] == said(
        result, "COPY"
    )
    assert not said(build, "CMD")


def test_steps_are_in_exec_form():
    assert all(exec_form(argument) for stage in stages() for argument in said(stage, "RUN"))


def test_whatever_is_installed_is_pinned():
    """By hashes, or because it was built here."""
    steps = [exec_form(argument) for stage in stages() for argument in said(stage, "RUN")]
    installing = [step for step in steps if {"install", "wheel"} & set(step) and "pip" in step]
    installing = [step for step in installing if "uninstall" not in step]

    assert len(installing) > 3
    assert all({"--require-hashes", "--no-index"} & set(step) for step in installing)


def test_no_host_is_named():
    """Where images and packages come from is the builder's to say."""
    for name in ("Containerfile", "compose.yaml"):
        text = (DEPLOY / name).read_text(encoding="utf-8").replace("http://127.0.0.1", "")
        assert not re.search(r"\w+://|\b[\w-]+\.(io|org|com|net)\b", text)


def test_python_is_one_that_the_project_supports():
    tags = [argument for name, argument in instructions() if name == "ARG"]
    [version] = re.findall(r"PYTHON=3\.(\d+)-slim", tags[0])
    least = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())[1]

    assert int(version) >= int(least)


def test_context_has_what_is_copied_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = [line.removeprefix("!") for line in lines if line.startswith("!")]

    assert "*" == next(line for line in lines if line and not line.startswith("#"))
    assert sorted(let_through) == sorted(copied())
    assert all((ROOT / name).exists() for name in copied())


def test_wheel_of_the_context_holds_all_of_the_product(tmp_path):
    """The container's own step over what it has copied: nothing that runs may be missing."""
    context, excluded = tmp_path / "context", shutil.ignore_patterns("__pycache__", "*.egg-info")
    context.mkdir()
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, context / name, ignore=excluded)
        else:
            shutil.copy(source, context / name)
    steps = [exec_form(argument) for argument in said(stages()[0], "RUN")]
    [step] = [step for step in steps if "wheel" in step]
    subprocess.run([sys.executable, *step[1:]], cwd=context, check=True, capture_output=True)

    [wheel] = (context / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        inside = {name for name in packed.namelist() if ".dist-info/" not in name}
    folders = [ROOT / name for name in ("gateway", "jobs", "providers")]
    product = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    wanted = {str(p.relative_to(ROOT)) for p in product if "__pycache__" not in p.parts}
    assert {name for name in wanted if not fnmatch(name, "*.md")} == inside


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_check_asks_the_process(status, code):
    class Live(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/live" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    command = exec_form(said(stages()[-1], "HEALTHCHECK")[0])
    with ThreadingHTTPServer(("127.0.0.1", 0), Live) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = subprocess.run(
            [sys.executable, *command[1:]],
            env={"PORT": str(server.server_port)},
            capture_output=True,
            timeout=30,
            check=False,
        )
        server.shutdown()
    assert code == done.returncode


def test_services_run_the_lines_of_the_procfile():
    services = composition()["services"]
    lines = {name: " ".join(services[name]["command"]) for name in ROLES if name != "web"}

    assert {name: ROLES[name] for name in ROLES if name != "web"} == lines
    assert "command" not in services["web"]
    assert set(ROLES) | {"store"} == set(services)
    assert 2 == services["worker"]["deploy"]["replicas"]
    assert "deploy" not in services["cron"]


def test_every_service_is_shut_in():
    services = composition()["services"]

    assert all(service["read_only"] for service in services.values())
    assert all(
        service["security_opt"] == ["no-new-privileges:true"] for service in services.values()
    )
    assert all(services[role]["cap_drop"] == ["ALL"] for role in ROLES)
    assert all("healthcheck" in services[name] for name in services if name != "web")
    assert ["127.0.0.1:8080:8080"] == services["web"]["ports"]


def test_whatever_a_service_names_is_there():
    made = composition()
    for name, service in made["services"].items():
        assert set(service["secrets"]) <= made["secrets"].keys(), name
        assert service.get("depends_on", {}).keys() <= made["services"].keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in made["volumes"] or (DEPLOY / source).is_file()
    assert ["secrets"] == sorted({Path(s["file"]).parent.name for s in made["secrets"].values()})


@pytest.mark.parametrize("role", ROLES)
def test_settings_of_a_role_are_those_that_there_are(role, tmp_path):
    service = composition()["services"][role]
    given = {name: str(value) for name, value in service["environment"].items()}
    for name, path in given.items():
        if name.endswith("_FILE"):
            assert Path(path).name in service["secrets"]
            given[name] = str(tmp_path / Path(path).name)
            Path(given[name]).write_text("redis://store" if "URL" in name else "whsec_1")

    assert ["stripe"] == list(load(given).instances)


def test_secrets_stay_out_of_the_repository():
    ignored = (DEPLOY / "secrets" / ".gitignore").read_text().split()

    assert ["*", "!.gitignore"] == ignored
