"""Settings: read once from the environment, checked whole, frozen.

The only module that touches `os.environ`. Every fault is reported at once, with the variable's
name. A variable `X_FILE` names a file that holds the value of `X` (mounted secrets).
"""

import dataclasses
import json
import os
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from gateway.domain.errors import ConfigurationError
from gateway.store import addresses
from gateway.store.addresses import Kind
from gateway.store.keys import MAX_SHARDS
from gateway.store.sealing import Seal
from providers import configuration, registry
from providers.registry import Instance

PREFIX = "GATEWAY_"
# What the command line's clients read: no setting of the gateway, and no mistake either.
_CLIENT = frozenset({"URL", "TOKEN"})
METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""The Prometheus client's own variable: it reads it when it is imported."""
TRACES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own variables that name a collector; it reads the rest of its own by itself."""
MIN_BODY, MAX_BODY = 1024, 2**24
_MOST_REPLICAS = 5


class Face(StrEnum):
    """What a web process serves: the public webhooks, the private API, or both."""

    WEBHOOKS = "webhooks"
    API = "api"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration. `max_body` in bytes; URLs may hold passwords.

    Bodies are let go of `body_days` after they were applied, and sealed with the first of
    `body_keys`, if there are any. So many `ack_replicas` have a webhook before it is acknowledged.
    """

    store_url: str = field(repr=False)
    queue_url: str = field(repr=False)
    shards: int = 1
    faces: frozenset[Face] = frozenset(Face)
    max_body: int = 256 * 1024
    body_days: int = 35
    body_keys: tuple[str, ...] = field(default=(), repr=False)
    ack_replicas: int = 0
    log_format: LogFormat = LogFormat.JSON
    metrics_dir: str | None = None
    traces: bool = False
    instances: Mapping[str, Instance] = field(default_factory=dict)

    def limit_of(self, instance: Instance | None) -> int:
        """Bytes that the body of a webhook of this instance may have."""
        return (instance and instance.max_body) or self.max_body

    @property
    def largest_body(self) -> int:
        return max(map(self.limit_of, [None, *self.instances.values()]))


def _store_url(value: str) -> None:
    try:
        addresses.parse(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _queue_url(value: str) -> None:
    _store_url(value)
    if addresses.parse(value).kind is Kind.CLUSTER:
        raise ValidationError("must be one server, or what sentinels watch: RQ knows no cluster")


def _queue_of_store(url: str) -> list[str]:
    """What is wrong with the store's server as the queue's."""
    if not url or addresses.parse(url).kind is not Kind.CLUSTER:
        return []
    return [f"{PREFIX}QUEUE_URL: must be given, as the store is a cluster: RQ knows none"]


def _keys_of(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _body_keys(value: str) -> None:
    try:
        Seal(_keys_of(value))
    except ValueError:
        raise ValidationError("must be keys that `gateway bodies key` made") from None


class _Variables(Schema):
    """The gateway's own variables, without their prefix; providers' are read separately."""

    class Meta:
        unknown = EXCLUDE

    STORE_URL = fields.String(required=True, validate=_store_url)
    QUEUE_URL = fields.String(validate=_queue_url)
    ACK_REPLICAS = fields.Integer(load_default=0, validate=validate.Range(0, _MOST_REPLICAS))
    SHARDS = fields.Integer(load_default=1, validate=validate.Range(1, MAX_SHARDS))
    FACES = fields.String(load_default="webhooks,api")
    MAX_BODY = fields.Integer(load_default=256 * 1024, validate=validate.Range(MIN_BODY, MAX_BODY))
    BODY_DAYS = fields.Integer(load_default=35, validate=validate.Range(1, 35))
    BODY_KEYS = fields.String(load_default="", validate=_body_keys)
    LOG_FORMAT = fields.Enum(LogFormat, by_value=True, load_default=LogFormat.JSON)
    INSTANCES = fields.String(load_default="")


SETTINGS = tuple(_Variables().fields)
"""The gateway's own variables, without their prefix."""


def from_environment() -> Settings:
    """The settings of this process. Raises ConfigurationError."""
    return load(os.environ)


def environment() -> dict[str, str]:
    """A copy of this process's environment, for its children's."""
    return dict(os.environ)


def load(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`. Raises ConfigurationError, which lists all faults."""
    faults: list[str] = []
    variables = _with_files(environ, faults)
    try:
        own = _Variables().load(variables)
    except ValidationError as error:
        faults += [_fault(name, told) for name, told in _messages(error)]
        own = error.valid_data if isinstance(error.valid_data, dict) else {}
    if "QUEUE_URL" not in variables:
        faults += _queue_of_store(own.get("STORE_URL", ""))
    faces = _faces(own.get("FACES", ""), faults)
    named = _named_instances(own.get("INSTANCES", ""), faults)
    names = {adapter_id: adapter_id for adapter_id in registry.adapter_ids()} | named
    # One that is named exists also without a variable of its own.
    given: dict[str, dict[str, str]] = {name: {} for name in named}
    given |= _by_instance(names, variables)
    instances = _instances(names, given, faults)
    faults += _unknown(variables, names)
    if faults:
        raise ConfigurationError(faults)
    return Settings(
        store_url=own["STORE_URL"],
        queue_url=own.get("QUEUE_URL", own["STORE_URL"]),
        shards=own["SHARDS"],
        faces=faces,
        max_body=own["MAX_BODY"],
        body_days=own["BODY_DAYS"],
        body_keys=_keys_of(own["BODY_KEYS"]),
        ack_replicas=own["ACK_REPLICAS"],
        log_format=own["LOG_FORMAT"],
        metrics_dir=environ.get(METRICS_DIR),
        traces=any(environ.get(name) for name in TRACES),
        instances=instances,
    )


def instance_prefix(name: str) -> str:
    """What the variables of a provider instance begin with: `GATEWAY_STRIPE_EU_` for stripe-eu."""
    return f"{PREFIX}{name.upper().replace('-', '_')}_"


def _with_files(environ: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """Our variables without the prefix, with those read that are in files."""
    ours = {k.removeprefix(PREFIX): v for k, v in environ.items() if k.startswith(PREFIX)}
    for name in [name for name in ours if name.endswith("_FILE")]:
        path = Path(ours.pop(name))
        try:
            ours[name.removesuffix("_FILE")] = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{PREFIX}{name}: cannot read the file ({type(error).__name__})")
    return ours


def _faces(text: str, faults: list[str]) -> frozenset[Face]:
    try:
        return frozenset(Face(item.strip()) for item in text.split(",") if item.strip())
    except ValueError:
        faults.append(f"{PREFIX}FACES: must be a list of {', '.join(Face)}")
        return frozenset()


def _named_instances(text: str, faults: list[str]) -> dict[str, str]:
    """Instance name → adapter id, of the instances that are named: further accounts mostly."""
    known, names = registry.adapter_ids(), {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, adapter_id = (part.strip() for part in item.partition("="))
        if (adapter_id or name) in known:
            names[name] = adapter_id or name
        else:
            faults.append(
                f"{PREFIX}INSTANCES: {item!r} must be NAME=ADAPTER, the adapter one of "
                f"{', '.join(known)}"
            )
    return names


def _instances(
    names: Mapping[str, str], variables: Mapping[str, Mapping[str, str]], faults: list[str]
) -> dict[str, Instance]:
    instances = {}
    for name, own in variables.items():
        adapter, given = registry.adapter(names[name]), dict(own)
        livemode = _livemode(given.pop("live", None), name, faults)
        api_base = _api_base(given.pop("api_base", None), name, faults)
        max_body = _max_body(given.pop("max_body", None), name, faults)
        hints = typing.get_type_hints(adapter.Config)
        raw = {key: _plain(text, hints.get(key)) for key, text in given.items()}
        try:
            config = configuration.load(adapter.Config, raw)
        except ValidationError as error:
            prefix = instance_prefix(name).removeprefix(PREFIX)
            faults += [_fault(f"{prefix}{key.upper()}", told) for key, told in _messages(error)]
        else:
            instances[name] = Instance(name, adapter, config, livemode, api_base, max_body)
    return instances


def _by_instance(
    names: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The provider variables, each given to the instance with the longest fitting name."""
    found: dict[str, dict[str, str]] = {}
    for variable, value in variables.items():
        name = _owner(names, variable)
        if name is not None:
            key = f"{PREFIX}{variable}".removeprefix(instance_prefix(name)).lower()
            found.setdefault(name, {})[key] = value
    return found


def _owner(names: Mapping[str, str], variable: str) -> str | None:
    fitting = [n for n in names if f"{PREFIX}{variable}".startswith(instance_prefix(n))]
    return max(fitting, key=len, default=None)


def _livemode(text: str | None, name: str, faults: list[str]) -> bool | None:
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        faults.append(f"{instance_prefix(name)}LIVE: must be true or false")
    return text.lower() == "true"


def _api_base(text: str | None, name: str, faults: list[str]) -> str | None:
    if text is not None and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", text):
        faults.append(f"{instance_prefix(name)}API_BASE: must be a URL of scheme, host and port")
    return text


def _max_body(text: str | None, name: str, faults: list[str]) -> int | None:
    if text is None:
        return None
    size = int(text) if text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 - of digits
    if not MIN_BODY <= size <= MAX_BODY:
        faults.append(f"{instance_prefix(name)}MAX_BODY: must be {MIN_BODY} to {MAX_BODY} bytes")
    return size


def _plain(text: str, hint: Any) -> Any:
    """A variable's text as a JSON value: written as JSON, or as a list with commas."""
    if text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    if typing.get_origin(hint) is tuple:
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _unknown(variables: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """A misspelt variable would be a setting that silently does not hold."""
    own = _CLIENT.union(SETTINGS)
    strange = [v for v in variables if v not in own and _owner(names, v) is None]
    return [f"{PREFIX}{name}: there is no such setting" for name in sorted(strange)]


def _messages(error: ValidationError) -> list[tuple[str, Any]]:
    return sorted(error.messages.items()) if isinstance(error.messages, dict) else []


def _fault(name: str, messages: Any) -> str:
    text = json.dumps(messages) if isinstance(messages, dict) else " ".join(map(str, messages))
    return f"{PREFIX}{name}: {text}"


def describe(settings: Settings) -> dict[str, str]:
    """The settings as an operator may see them: secrets and passwords stay out."""
    shown = {
        item.name: str(getattr(settings, item.name))
        for item in dataclasses.fields(settings)
        if item.repr and item.name != "instances"
    }
    return shown | {
        "faces": ", ".join(sorted(settings.faces)),
        "instances": ", ".join(sorted(settings.instances)) or "none",
    }
