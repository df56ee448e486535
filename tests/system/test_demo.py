"""`gateway demo`: the whole story, with real processes."""

import json
import subprocess

import pytest
from gateways import GATEWAY, Family

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


@pytest.fixture(scope="module")
def family():
    family = Family()
    yield family
    family.kill()
    family.wait_until_gone()


@pytest.fixture(scope="module")
def demo(family, tmp_path_factory):
    return play(family, tmp_path_factory.mktemp("demo"))


def play(family, folder, *options):
    return subprocess.run(
        [GATEWAY, "demo", *options],
        cwd=folder,
        # Whatever is configured here must not get into the demo.
        env=family.environment | {"GATEWAY_STORE_URL": "redis://nowhere.invalid"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_demo_holds_what_it_promises(demo):
    assert 0 == demo.returncode, demo.stdout + demo.stderr
    assert "✗" not in demo.stdout
    assert "" == demo.stderr


def test_demo_gives_programs_its_result_only(family, tmp_path):
    told = [json.loads(line) for line in play(family, tmp_path, "--json").stdout.splitlines()]
    assert 10 < len(told)
    assert all(one["holds"] for one in told)


def test_demo_leaves_no_process(demo, family):
    assert [] == family.members()


@pytest.mark.parametrize(
    "line",
    [
        "→ stripe payment_intent.succeeded  200",
        "→ stripe payment_intent.succeeded  400  bad_signature",
        "→ stripe payment_intent.amount_capturable_updated  200  the same again",
        "→ adyen AUTHORISATION + AUTHORISATION  200",
    ],
)
def test_demo_tells_each_delivery_and_its_answer(demo, line):
    assert line in demo.stdout.splitlines()


def test_demo_explains_what_did_nothing(demo):
    rows = [line.split() for line in demo.stdout.splitlines() if "requires_action" in line]

    assert any("outranked," in row for row in rows)
