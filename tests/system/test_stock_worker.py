import subprocess
import sys

import pytest
from processes import eventually, stripe

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


def test_stock_rq_worker_applies_webhooks_too(gateway):
    gateway.roles["worker"].stop()
    gateway.create("ps_1")
    assert 200 == gateway.post(stripe("evt_1", "payment_intent.succeeded", "ps_1"))

    role = gateway.roles["worker"]
    command = [sys.executable, "-m", "rq.cli", "worker", "--url", f"unix://{gateway.socket}"]
    command += ["--serializer", "json", "--quiet", "gateway"]
    with (gateway.folder / "stock.log").open("wb") as log:
        stock = subprocess.Popen(command, env=role.environment, stdout=log, stderr=log)
    try:
        eventually(lambda: gateway.status("ps_1") == "authorized", "the stock worker applied it")
    finally:
        stock.terminate()
        stock.wait(30)
