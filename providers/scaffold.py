"""`python -m providers.scaffold NAME`: the files of a new adapter, which pass the suite as is.

In this tree by default; with `--outside FOLDER` as a package of its own, which the gateway finds by
its entry point once it is installed.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.schemes.body_hmac import BodyHmac

_SECRET = "development_not_a_secret"  # noqa: S105 - its own value says so
_ADAPTER = '''"""{Name}: https://docs.example.com/webhooks (put the provider's own page here)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from gateway.domain.events import Delivery, PaymentEvent
from providers import payload
from providers.configuration import Secrets
from providers.contract import Adapter
from providers.meanings import Means, event
from providers.schemes.body_hmac import BodyHmac
from providers.shapes import Heading, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class {Name}Config:
    webhook_secrets: Annotated[Secrets, "where the operator finds it"]


_HEADING = Heading("id", "type", "created")
_SHAPE = Shape("data.id", "data.reference", "data.amount", "data.currency", "data.id")


class {Name}(Adapter[{Name}Config]):
    id = "{name}"
    Config = {Name}Config
    scheme = BodyHmac[{Name}Config]("X-{Name}-Signature", lambda config: config.webhook_secrets)
    meanings = {{
        "payment.authorized": Means.AUTHORIZED,
        "payment.captured": Means.PAID,
        "payment.failed": Means.FAILED,
        "payment.canceled": Means.RELEASED,
        "refund.succeeded": Means.REFUNDED,
        "refund.failed": Means.REFUND_FAILED,
        "dispute.created": Means.DISPUTED,
    }}
    ignored = ("payout.*",)

    def read(self, delivery: Delivery, config: {Name}Config) -> Iterable[PaymentEvent]:
        document = payload.json_object(delivery.body)
        told = _HEADING.told(document)
        meaning = self.meaning(told.type)
        return [event(delivery, _SHAPE.completing(told, document, meaning), meaning)]


adapter = {Name}()
'''
_PAGE = """# {Name}

What its webhooks do, each line from the provider's own page (name it) or seen (say how).

## Delivery

Method, form, retries, what it wants to be answered.

## Verification

Headers, signed bytes, key and encoding, window, rotation.

## Identity and correlation

What is equal when a delivery is repeated; where our reference and the payment's id stand.

## Meanings

| the provider's word | session | payment |
| --- | --- | --- |

## Money

Unit, form, exceptions.

## Not authenticated

What nothing proves, and what is asked back.
"""
_PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "gateway-provider-{dashed}"
version = "0.1.0"
requires-python = ">=3.11"

[project.entry-points."gateway.providers"]
{name} = "gateway_provider_{name}:adapter"

[tool.setuptools]
packages = ["gateway_provider_{name}"]

[tool.setuptools.package-data]
"gateway_provider_{name}" = ["samples/*.json"]
"""
_KINDS = {
    "authorized": "payment.authorized",
    "captured": "payment.captured",
    "failed": "payment.failed",
    "canceled": "payment.canceled",
    "refunded": "refund.succeeded",
    "refund_failed": "refund.failed",
    "disputed": "dispute.created",
    "ignored": "payout.paid",
    "unknown": "payment.invented_since",
}


def files(name: str, *, outside: bool) -> dict[str, str]:
    """What to write, by path: adapter, samples, a vector, its page, and a package if outside."""
    title = "".join(map(str.capitalize, name.split("_")))
    adapter, page = _ADAPTER.format(name=name, Name=title), _PAGE.format(Name=title)
    samples, vectors = _json(_samples()), _json([_vector(name)])
    if not outside:
        return {
            f"providers/{name}.py": adapter,
            f"providers/samples/{name}.json": samples,
            f"tests/vectors/{name}.json": vectors,
            f"docs/providers/{name}.md": page,
        }
    package = f"gateway_provider_{name}"
    return {
        f"{package}/__init__.py": adapter,
        f"{package}/samples/{name}.json": samples,
        f"vectors/{name}.json": vectors,
        "README.md": page,
        "pyproject.toml": _PYPROJECT.format(name=name, dashed=name.replace("_", "-")),
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _samples() -> dict[str, Any]:
    template = {
        "id": "$event_id",
        "type": "",
        "created": "$iso",
        "data": {
            "id": "$external_id",
            "reference": "$session_id",
            "amount": "$amount",
            "currency": "$currency",
        },
    }
    return {
        "development_config": {"webhook_secrets": [_SECRET]},
        "headers": {"Content-Type": "application/json"},
        "templates": {"event": template},
        "kinds": {
            kind: {"template": "event", "set": {"type": word}} for kind, word in _KINDS.items()
        },
    }


def _vector(name: str) -> dict[str, Any]:
    """A delivery signed by the scaffold's own scheme: replace it by one of the provider's."""
    body = json.dumps(
        {
            "id": "evt_1",
            "type": "payment.authorized",
            "created": "2025-11-24T16:00:00Z",
            "data": {"id": "pay_1", "reference": "ps_1", "amount": 4250, "currency": "EUR"},
        }
    )
    header = f"X-{''.join(map(str.capitalize, name.split('_')))}-Signature"
    scheme = BodyHmac[None](header, lambda _: (Secret(_SECRET, "webhook_secrets[0]"),))
    signed = scheme.sign(_delivery(name, body), None)
    event = {
        "event_id": "evt_1",
        "type": "payment.authorized",
        "occurred_at": "2025-11-24T16:00:00Z",
        "external_id": "pay_1",
        "reference": "ps_1",
        "session_status": "authorized",
        "payment_event": None,
        "amount_minor": 4250,
        "currency": "EUR",
    }
    return {
        "name": "authorized",
        "provider": name,
        "source": "made by the scaffold: replace it by a recorded delivery",
        "config": {"webhook_secrets": [_SECRET]},
        "request": {
            "method": "POST",
            "path": f"/webhooks/{name}",
            "query": "",
            "headers": dict(signed.headers),
            "body": body,
        },
        "now": None,
        "expect": {"verified": True, "reason": None, "events": [event]},
    }


def _delivery(name: str, body: str) -> Delivery:
    at = datetime(2025, 11, 24, 16, tzinfo=UTC)
    headers = (("Content-Type", "application/json"),)
    return Delivery(provider_id=name, body=body.encode(), headers=headers, received_at=at)


def main(arguments: Sequence[str]) -> int:
    """Writes the files, and says what is left to do; never over a file that is there."""
    parser = argparse.ArgumentParser(prog="python -m providers.scaffold", description=__doc__)
    parser.add_argument("name", help="the adapter's id: lower case, with underscores")
    parser.add_argument("--outside", type=Path, metavar="FOLDER", help="write a package there")
    told = parser.parse_args(arguments)
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", told.name):
        parser.error("NAME must be lower case letters, digits and underscores")
    root = told.outside or Path.cwd()
    wanted = {
        root / path: text for path, text in files(told.name, outside=bool(told.outside)).items()
    }
    taken = [str(path) for path in wanted if path.exists()]
    if taken:
        parser.error(f"there already: {', '.join(taken)}")
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    sys.stdout.write(_NEXT[bool(told.outside)].format(name=told.name))
    return 0


_NEXT = {
    False: (
        "Now add {name!r} to _BUILT_IN in providers/registry.py, follow the provider's page, and "
        "replace the vector by recorded deliveries: make test, make docs.\n"
    ),
    True: (
        "Now follow the provider's page, replace the vector by recorded deliveries, install the "
        "package, and run python -m providers.conformance vectors/{name}.json\n"
    ),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
