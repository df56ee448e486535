"""What docs/deployment.md names is there: most of its commands need a machine of their own."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
# Those of `sh` are run by tests/system/test_docs.py.
BLOCKS = [block for language, block in FENCED if not language]


def test_files_and_headings_that_it_leads_to():
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        file = (ROOT / "docs" / path) if path else ROOT / "docs" / "deployment.md"
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_files_that_its_commands_name():
    named = {word for block in BLOCKS for word in re.findall(r"\bdeploy/[\w./*-]+", block)}

    assert named
    assert all(list(ROOT.glob(name)) for name in named)


def test_units_and_services_that_its_commands_name():
    lines = [line for block in BLOCKS for line in block.splitlines()]
    units = {
        u for line in lines if "systemctl" in line for u in re.findall(r"gateway[-.]\S+", line)
    }
    files = {path.name.removesuffix(".service") for path in (ROOT / "deploy/systemd").iterdir()}

    assert {unit.strip("'").removesuffix("*") for unit in units} <= files
