"""One trace from a webhook's arrival to the commit of what it says, for OpenTelemetry.

An extra: it is there once `payment-webhook-gateway[otel]` is installed, and on once one of
OpenTelemetry's own variables names a collector. Otherwise nothing of it is imported.

A span holds names from closed lists and ids; never a header, a body or an error's text.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config import TRACES, Settings
from gateway.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.spans import Spans


@dataclass(slots=True)
class _Tracing:
    """Of this process: None while nothing is traced."""

    spans: "Spans | None" = None


_own = _Tracing()
_nothing = nullcontext()


def configure(settings: Settings) -> None:
    """Traces, if the environment asks for it. Raises ConfigurationError without the extra."""
    if not settings.traces:
        return
    try:
        from gateway.spans import Spans  # noqa: PLC0415 - an extra
    except ImportError:
        told = "needs OpenTelemetry: pip install 'payment-webhook-gateway[otel]'"
        raise ConfigurationError([f"{' and '.join(TRACES)}: {told}"]) from None
    start(Spans.to_collector())


def start(spans: "Spans") -> None:
    """Traces from now on."""
    _own.spans = spans


def stop() -> None:
    """Sends what is left, and traces no more."""
    if _own.spans is not None:
        _own.spans.close()
    _own.spans = None


def span(name: str, **facts: str) -> AbstractContextManager[None]:
    """A new trace, whose first span is what the block does."""
    return _own.spans.begin(name, facts) if _own.spans else _nothing


def note(**facts: str) -> None:
    """Adds to what the present span says."""
    if _own.spans is not None:
        _own.spans.note(facts)


def current() -> str:
    """The present span as W3C's `traceparent`, to go on with in another process; '' without one."""
    return _own.spans.current() if _own.spans else ""


def record(name: str, traceparent: str, seconds: float, **facts: str) -> None:
    """A span of a trace that was begun elsewhere, for work that has just ended after `seconds`."""
    if _own.spans is not None and traceparent:
        _own.spans.record(name, traceparent, seconds, facts)
