"""How applied deliveries are packed: by Zstandard, with a dictionary of what webhooks are made of.

Most of a webhook is the same in every one: names of fields and headers. The dictionary holds those,
made from simulated webhooks by `make dictionary`, so nothing of any person. What was packed with a
dictionary needs that one for ever: a new one is a new file with a new number.
"""

import threading
from functools import cache
from importlib.resources import files

import zstandard
from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError

from gateway.domain.errors import StoreRefused

DICTIONARIES = files("gateway.store") / "dictionaries"
_CURRENT = 1
# The point at which more effort hardly saves any more bytes.
_LEVEL = 6
# Threads must not share a compressor, and to make one takes half as long as to use it.
_own = threading.local()


def pack(*parts: bytes) -> bytes:
    """The parts in one piece; all but the last may not hold a line's end."""
    compressor: ZstdCompressor | None = getattr(_own, "compressor", None)
    if compressor is None:
        dictionary = _dictionary(_CURRENT)
        compressor = _own.compressor = ZstdCompressor(level=_LEVEL, dict_data=dictionary)
    return compressor.compress(b"\n".join(parts))


def unpack(packed: bytes, parts: int) -> list[bytes]:
    """The parts that were packed. Raises StoreRefused if they cannot be read."""
    try:
        number = zstandard.get_frame_parameters(packed).dict_id
        whole = ZstdDecompressor(dict_data=_dictionary(number)).decompress(packed)
    except (ZstdError, FileNotFoundError):
        raise StoreRefused(
            "A delivery was packed by a later version, or is damaged; read it with that version."
        ) from None
    return whole.split(b"\n", parts - 1)


@cache
def _dictionary(number: int) -> ZstdCompressionDict:
    return ZstdCompressionDict((DICTIONARIES / str(number)).read_bytes())
