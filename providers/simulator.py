"""Correctly signed deliveries like a provider's own, for development, tests and load.

`samples/<adapter>.json` holds body templates, and the kinds of events as changes to a template.
Pure: time and ids are handed in. The secrets there are made up.
"""

import inspect
import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from gateway.domain.errors import InvalidInput
from gateway.domain.events import Delivery
from gateway.domain.money import exponent, major_units
from providers.registry import Instance, adapter, adapter_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPayment:
    """The payment that deliveries speak of; `amount` in ISO 4217 minor units of `currency`.

    `reference_id` is the provider's id of its captures, refunds and disputes; by default one
    that belongs to the payment, so that a refund and its failure are about the same thing.
    """

    session_id: str
    external_id: str
    amount: int
    currency: str
    reference_id: str = ""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One answer of a provider's API, as the adapter's settle would get it."""

    method: str
    url: str
    status: int
    body: bytes


def kinds(adapter_id: str) -> tuple[str, ...]:
    """The kinds of events that can be simulated; a word means the same with every adapter."""
    return tuple(_samples(adapter_id)["kinds"])


def external_id(adapter_id: str, session_id: str) -> str:
    """A payment's id as the provider would write it, always the same for a session."""
    number = int(sha256(session_id.encode()).hexdigest(), 16) % 10**12
    form: str = _samples(adapter_id).get("external_id", "pay$number")
    return Template(form).substitute(number=f"{number:012}")


def development_config(adapter_id: str) -> Mapping[str, Any]:
    """A configuration with made-up secrets, as plain values."""
    return deepcopy(_samples(adapter_id)["development_config"])


def simulate(
    instance: Instance, kind: str, payment: SimulatedPayment, *, event_id: str, at: datetime
) -> Delivery:
    """What the provider would send, signed. Raises InvalidInput for an unknown kind."""
    return simulate_batch(instance, (kind,), payment, event_id=event_id, at=at)


def simulate_batch(
    instance: Instance,
    kinds_told: Iterable[str],
    payment: SimulatedPayment,
    *,
    event_id: str,
    at: datetime,
) -> Delivery:
    """One delivery with several events, where the provider sends batches; else InvalidInput."""
    samples = _samples(instance.adapter.id)
    values = _values(instance, payment, event_id, at)
    bodies = [_filled(_body(samples, kind), values) for kind in kinds_told]
    delivery = Delivery(
        provider_id=instance.name,
        body=_encoded(_merged(bodies, samples.get("batch")), samples).encode(),
        headers=tuple(_filled(samples["headers"], values).items()),
        received_at=at,
        path=f"/webhooks/{instance.name}",
        query=_filled(samples.get("query", ""), values),
    )
    return instance.adapter.scheme.sign(delivery, instance.config)


def api_calls(
    instance: Instance, kind: str, payment: SimulatedPayment, *, event_id: str, at: datetime
) -> tuple[ApiCall, ...]:
    """What the provider's API answers when it is asked about a simulated delivery."""
    samples = _samples(instance.adapter.id)
    _body(samples, kind)
    values = _values(instance, payment, event_id, at)
    answers = samples.get("api", {})
    return tuple(
        ApiCall(
            method=call.get("method", "GET"),
            url=_filled(call["url"], values),
            status=call.get("status", 200),
            body=json.dumps(_filled(_api_body(answers, call), values)).encode(),
        )
        for call in samples["kinds"][kind].get("api", ())
    )


def _api_body(answers: Mapping[str, Any], call: Mapping[str, Any]) -> Any:
    """An answer's body: a template of the section `api`, with the call's own changes."""
    body = deepcopy(answers[call["template"]])
    for path, value in call.get("set", {}).items():
        _put(body, path.split("/"), value)
    return body


def _encoded(body: Any, samples: Mapping[str, Any]) -> str:
    if samples.get("encoding") == "form":
        return urlencode(body)
    if isinstance(body, str):
        return body
    indent = samples.get("indent")
    separators = None if indent else (",", ":")
    return json.dumps(body, indent=indent, separators=separators, ensure_ascii=False)


@cache
def _samples(adapter_id: str) -> dict[str, Any]:
    if adapter_id not in adapter_ids():
        raise InvalidInput("provider", f"there is no {adapter_id}")
    # They lie beside the adapter, in this tree or in an outside package.
    beside = Path(inspect.getfile(type(adapter(adapter_id)))).parent
    found = beside / "samples" / f"{adapter_id}.json"
    if not found.is_file():
        raise InvalidInput("provider", f"there are no samples of {adapter_id}")
    samples: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return samples


def _body(samples: Mapping[str, Any], kind: str) -> Any:
    if kind not in samples["kinds"]:
        raise InvalidInput("kind", f"must be one of {', '.join(samples['kinds'])}")
    told = samples["kinds"][kind]
    body = deepcopy(samples["templates"][told["template"]])
    for path, value in told.get("set", {}).items():
        _put(body, path.split("/"), value)
    return body


def _put(document: Any, path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        document = document[int(name) if isinstance(document, list) else name]
    document[last] = value


def _values(
    instance: Instance, payment: SimulatedPayment, event_id: str, at: datetime
) -> dict[str, Any]:
    own = sha256(payment.external_id.encode()).hexdigest()[:15].upper()
    at = at.astimezone(UTC)
    return {
        "session_id": payment.session_id,
        "external_id": payment.external_id,
        "reference_id": payment.reference_id or own,
        "event_id": event_id,
        "amount": _provider_minor(payment, instance.adapter.decimals),
        "amount_major": major_units(payment.amount, payment.currency),
        # The same as a JSON number.
        "amount_number": json.loads(major_units(payment.amount, payment.currency)),
        "currency": payment.currency,
        "currency_lower": payment.currency.lower(),
        "unix": int(at.timestamp()),
        "unix_ms": int(at.timestamp()) * 1000 + at.microsecond // 1000,
        "utc_date": f"{at:%Y-%m-%d}",
        "utc_time": f"{at:%H:%M:%S}",
        # Providers that write the wall clock of their own country, without a zone.
        "jakarta": f"{at.astimezone(ZoneInfo('Asia/Jakarta')):%Y-%m-%d %H:%M:%S}",
        "madrid_date": f"{at.astimezone(ZoneInfo('Europe/Madrid')):%d/%m/%Y}",
        "madrid_hour": f"{at.astimezone(ZoneInfo('Europe/Madrid')):%H:%M}",
        "iso": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _provider_minor(payment: SimulatedPayment, decimals: Mapping[str, int]) -> int:
    ours = exponent(payment.currency)
    theirs = decimals.get(payment.currency, ours)
    whole, rest = divmod(payment.amount * int(10**theirs), int(10**ours))
    if rest:
        raise InvalidInput("amount", f"this provider has no such fraction of {payment.currency}")
    return whole


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with every `$name` replaced; one that stands alone keeps its value's type."""
    if isinstance(template, dict):
        return {name: _filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    if template.startswith("$") and template[1:] in values:
        return values[template[1:]]
    return Template(template).substitute(values)


def _merged(bodies: list[Any], batch: str | None) -> Any:
    if len(bodies) == 1:
        return bodies[0]
    if batch is None or not bodies:
        raise InvalidInput("kind", "this provider sends one event in a delivery")
    return bodies[0] | {batch: [item for body in bodies for item in body[batch]]}
