"""Every command in the documents is run as it stands there, against a gateway of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from processes import TOKEN

from gateway import config

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# These run the test that would run them; CI calls them itself.
BY_CI = {"make test", "make check"}


def commands(document):
    """The document's shell blocks as one script, in their order."""
    blocks = BLOCK.findall(document.read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.splitlines()]
    return "\n".join(line for line in lines if line not in BY_CI)


@pytest.mark.parametrize(
    "document", [pytest.param(path, id=path.name) for path in DOCUMENTS if commands(path)]
)
def test_commands_of_the_document_work(document, gateway):
    environment = gateway.roles["web"].environment | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GATEWAY": gateway.url,
        "TOKEN": TOKEN,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands(document)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_ci_calls_what_it_stands_in_for():
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")

    assert all(command in script for command in BY_CI)


def test_readme_starts_with_the_two_commands():
    assert "make demo\nmake test\n" == BLOCK.findall((ROOT / "README.md").read_text())[0]


def test_readme_lists_every_setting_and_no_other():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(GATEWAY_[A-Z_]+)` \|", text, re.MULTILINE))

    assert {f"{config.PREFIX}{name}" for name in config.SETTINGS} == listed
