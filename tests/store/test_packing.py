import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import StoreRefused
from gateway.store import packing

PACKED_IN_NOVEMBER_2026 = "28b52ffd210125b5000040737472697065227d03f0be974c80d06a8887826f01"


@given(st.binary(), st.binary())
def test_what_is_packed_is_unpacked(meta, body):
    meta = meta.replace(b"\n", b" ")

    assert [meta, b"[1]", body] == packing.unpack(packing.pack(meta, b"[1]", body), 3)


def test_older_dictionaries_are_still_there():
    """What was packed with one can be read by nothing else: none may be taken away or changed."""
    packed = bytes.fromhex(PACKED_IN_NOVEMBER_2026)

    assert [b'{"p":"stripe"}', b"[1]", b'{"object":"event"}'] == packing.unpack(packed, 3)


@pytest.mark.parametrize("packed", [b"", b"no frame"])
def test_what_was_never_packed_is_an_error_and_not_a_body(packed):
    with pytest.raises(StoreRefused):
        packing.unpack(packed, 3)
