"""How times are written in records: integers since 1970, which sort and stay short.

Microseconds in records; milliseconds where the server counts in them itself.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def to_millis(moment: datetime) -> int:
    return to_micros(moment) // 1000


def from_micros(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND
