"""A backup is a copy of the store's append-only folder, as docs/operations.md describes it."""

import shutil
import tempfile
from pathlib import Path

import pytest
from processes import Gateway, eventually, stripe

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]
AUTHORIZED, REFUNDED = "payment_intent.amount_capturable_updated", "refund.created"


def test_backup_taken_under_work_has_all_that_was_acknowledged_before(gateway):
    gateway.create("ps_1")
    before = stripe("evt_1", AUTHORIZED, "ps_1")
    assert 200 == gateway.post(before)
    eventually(lambda: gateway.status("ps_1") == "authorized", "applied")

    with tempfile.TemporaryDirectory(prefix="pwg-") as folder:
        restored = Gateway(Path(folder))
        back_up(gateway, restored.folder)
        # What comes later is not in it: the provider sends it again.
        later = stripe("evt_2", REFUNDED, "ps_1", id="re_2", amount=1)
        assert 200 == gateway.post(later)
        gateway.stop()
        try:
            restored.start()
            assert "authorized" == restored.status("ps_1")
            known = restored.decisions("ps_1")
            assert [200, 200] == [restored.post(before), restored.post(later)]
            eventually(lambda: len(restored.decisions("ps_1")) == len(known) + 1, "sent again")
            assert "evt_2" == restored.decisions("ps_1")[-1]["event_id"]
        finally:
            restored.stop()


def back_up(gateway: Gateway, target: Path) -> None:
    with gateway.client() as client:
        client.config_set("auto-aof-rewrite-percentage", 0)
        eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "no rewrite")
        shutil.copytree(gateway.folder / "appendonlydir", target / "appendonlydir")
        client.config_set("auto-aof-rewrite-percentage", 100)
