"""Runs vector files against the adapters and prints what fails.

python -m providers.conformance FILE…
"""

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from gateway.domain.errors import Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers import registry
from providers.configuration import load
from providers.contract import Adapter, ApiAnswer, ApiRequest, Reply

Vector = Mapping[str, Any]
# What a vector lists for illustration; no adapter has to send exactly that.
_ILLUSTRATIVE = frozenset({"user-agent", "accept", "accept-encoding", "connection", "host"})
_ANY_TIME = datetime(2025, 1, 1, tzinfo=UTC)


class Deviation(Exception):
    """An adapter did what the vector does not allow."""


@dataclass(slots=True)
class Outcome:
    """What came of a delivery."""

    verified: bool
    reason: str | None
    reply: Reply
    events: list[PaymentEvent] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    """Runs the files named; 1 if any vector failed, 2 if there is nothing to run."""
    if not arguments:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    failed = passed = 0
    for name in arguments:
        for vector in json.loads(Path(name).read_text(encoding="utf-8")):
            problems = run_vector(vector)
            if problems:
                sys.stdout.write(f"{name}: {vector.get('name')}: {'; '.join(problems)}\n")
            failed += bool(problems)
            passed += not problems
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


def run_vector(vector: Vector) -> list[str]:
    """What differs from the vector's expectation; empty when nothing does."""
    try:
        adapter = registry.adapter(vector["provider"])
    except KeyError:
        return [f"there is no adapter {vector['provider']!r}"]
    try:
        config = load(adapter.Config, vector["config"])
        outcome = _outcome(adapter, config, vector)
    except ValidationError as error:
        return [f"config: {error.messages}"]
    except Deviation as error:
        return [str(error)]
    except Exception as error:  # noqa: BLE001 - an adapter that crashes fails its vector, not the run
        return [f"crashed: {error!r}"]
    return list(_differences(vector["expect"], outcome))


def delivery_of(vector: Vector) -> Delivery:
    """The request of a vector as it reaches an adapter."""
    request, now = vector["request"], vector.get("now")
    encoded = request.get("body_base64")
    body = request.get("body", "").encode() if encoded is None else base64.b64decode(encoded)
    return Delivery(
        provider_id=vector["provider"],
        body=body,
        headers=tuple(request.get("headers", {}).items()),
        received_at=_ANY_TIME if now is None else datetime.fromtimestamp(now, UTC),
        method=request.get("method", "POST"),
        path=request.get("path", ""),
        query=request.get("query", ""),
    )


def _outcome(adapter: Adapter[Any], config: Any, vector: Vector) -> Outcome:
    delivery = delivery_of(vector)
    calls = [dict(call) for call in vector.get("api", ())]
    try:
        answer = adapter.handshake(delivery, config)
        if answer is not None:
            return Outcome(verified=True, reason=None, reply=answer)
        if adapter.verify(delivery, config).settled:
            events = list(adapter.read(delivery, config))
        else:
            events = _settle(adapter, delivery, config, calls)
    except Rejected as error:
        return Outcome(
            verified=False, reason=error.cause.value, reply=Reply(adapter.refusal_status)
        )
    missing = [call["url"] for call in calls if not call.get("optional")]
    if missing:
        raise Deviation(f"api: never asked {', '.join(missing)}")
    told = [event for event in events if event.concerns_payment]
    return Outcome(verified=True, reason=None, reply=adapter.reply, events=told)


def _settle(
    adapter: Adapter[Any], delivery: Delivery, config: Any, calls: list[dict[str, Any]]
) -> list[PaymentEvent]:
    """Plays the provider's API; every call that was made is taken out of `calls`."""
    settlement = adapter.settle(delivery, config)
    try:
        request = next(settlement)
        while True:
            request = settlement.send(_answer(request, calls))
    except StopIteration as end:
        return list(end.value)


def _answer(request: ApiRequest, calls: list[dict[str, Any]]) -> ApiAnswer:
    for call in calls:
        if (call["method"], call["url"]) == (request.method, request.url):
            _check_headers(request, call.get("headers") or {})
            calls.remove(call)
            return ApiAnswer(call["status"], (call.get("body") or "").encode())
    raise Deviation(f"api: {request.method} {request.url} is not to be asked")


def _check_headers(request: ApiRequest, wanted: Mapping[str, str]) -> None:
    sent = {name.lower(): value for name, value in request.headers}
    for name, value in wanted.items():
        if name.lower() not in _ILLUSTRATIVE and sent.get(name.lower()) != value:
            raise Deviation(f"api: {request.url} needs the header {name}: {value}")


def _differences(expect: Vector, outcome: Outcome) -> Iterable[str]:
    for name in ("verified", "reason"):
        if expect.get(name) != getattr(outcome, name):
            yield _differs(name, expect.get(name), getattr(outcome, name))
    wanted = expect.get("response")
    if wanted is not None:
        reply = {"status": outcome.reply.status, "body": outcome.reply.body}
        yield from _fields("response", wanted, reply)
    events = expect.get("events", [])
    if len(events) != len(outcome.events):
        yield _differs("number of events", len(events), len(outcome.events))
    for at, (event, found) in enumerate(zip(events, outcome.events, strict=False)):
        yield from _fields(f"events[{at}]", _comparable(event), _described(found))


def _fields(where: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[str]:
    for name, value in wanted.items():
        if value != found.get(name):
            yield _differs(f"{where}.{name}", value, found.get(name))


def _differs(what: str, wanted: object, found: object) -> str:
    return f"{what}: expected {wanted!r}, got {found!r}"


def _comparable(event: Vector) -> dict[str, Any]:
    at = event.get("occurred_at")
    return {**event, "occurred_at": datetime.fromisoformat(at)} if at else dict(event)


def _described(event: PaymentEvent) -> dict[str, Any]:
    change = event.payment_change
    return {
        "event_id": event.event_id,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "external_id": event.external_id,
        "reference": event.reference,
        "session_status": event.session_status,
        "payment_event": change.kind if change else None,
        "amount_minor": event.amount,
        "currency": event.currency,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
