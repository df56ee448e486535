"""Records as earlier versions wrote them: every later one must read them as they were meant."""

import json
from pathlib import Path

import pytest
from golden_records import READERS

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GOLDEN)
def test_recorded_record_is_read_as_ever(name):
    one = GOLDEN[name]
    assert one["read"] == repr(READERS[one["kind"]](one["raw"]))


def test_every_kind_was_recorded():
    assert set(READERS) == {one["kind"] for one in GOLDEN.values()}
