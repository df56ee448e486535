"""What an operator configures for a provider: a frozen dataclass an adapter, read by marshmallow.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Config:
        webhook_secrets: Annotated[Secrets, "Dashboard > Webhooks > Signing secret"]
        tolerance_seconds: Annotated[int, "how old a delivery may be"] = 300

The annotation's text says where the operator finds the value; the generated docs print it. What
follows the text are marshmallow validators of the value.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar

from marshmallow import RAISE, Schema, ValidationError, fields, validate

C = TypeVar("C")


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """A secret value and the label under which it may be spoken of."""

    value: str = dataclasses.field(repr=False)
    label: str

    def __str__(self) -> str:
        return f"<secret {self.label}>"

    @property
    def bytes(self) -> bytes:
        return self.value.encode()


Secrets = tuple[Secret, ...]
"""All live values of one secret: during a rotation there are two."""

HTTP_URL = validate.Regexp(r"https?://[!-~]+\Z", error="must be an http(s) URL")
"""A validator for URLs that have to be given exactly as they were registered."""

Tolerance = Annotated[
    int | None,
    "seconds that a timestamp may be from the receipt; empty: any, repeats may have the first one",
    validate.Range(1, 604_800),
]
"""A window that the provider leaves to the receiver."""


def load(config: type[C], raw: Mapping[str, Any]) -> C:
    """A provider's configuration from plain values (JSON types).

    Raises marshmallow.ValidationError naming every field that is missing, unknown or wrong.
    """
    values = _schema(config).load(dict(raw))
    return config(**values)


def settings(config: type[Any]) -> dict[str, tuple[str, bool]]:
    """Each setting with where it is found and whether it is required."""
    required = {f.name for f in dataclasses.fields(config) if not _has_default(f)}
    hints = typing.get_type_hints(config, include_extras=True)
    return {
        name: (_note(hint), name in required) for name, hint in hints.items() if name != "return"
    }


def secret_labels(config: Any) -> list[str]:
    """The labels of all secrets in a configuration, in the order of its settings."""
    if isinstance(config, Secret):
        return [config.label]
    if isinstance(config, tuple):
        parts = list(config)
    elif isinstance(config, Mapping):
        parts = list(config.values())
    elif dataclasses.is_dataclass(config):
        parts = [getattr(config, item.name) for item in dataclasses.fields(config)]
    else:
        return []
    return [label for part in parts for label in secret_labels(part)]


def _has_default(item: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return item.default is not missing or item.default_factory is not missing


def _note(hint: Any) -> str:
    return str(hint.__metadata__[0]) if typing.get_origin(hint) is Annotated else ""


def _schema(config: type[Any]) -> Schema:
    hints = typing.get_type_hints(config, include_extras=True)
    made: dict[str, fields.Field[Any]] = {
        item.name: _field(hints[item.name], required=not _has_default(item))
        for item in dataclasses.fields(config)
    }
    return Schema.from_dict(made, name=config.__qualname__)(unknown=RAISE)


_KINDS: dict[Any, type[fields.Field[Any]]] = {
    str: fields.String,
    bool: fields.Boolean,
    int: fields.Integer,
}


def _field(hint: Any, *, required: bool) -> fields.Field[Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        made = _field(arguments[0], required=required)
        made.validators += list(arguments[2:])
        return made
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        made = _field(inner, required=required)
        made.allow_none = True
        return made
    return _plain_field(hint, required=required)


def _plain_field(hint: Any, *, required: bool) -> fields.Field[Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return fields.String(required=required, validate=validate.OneOf(arguments))
    if origin is Mapping:
        values = _field(arguments[1], required=True)
        return fields.Dict(fields.String(), values, required=required)
    if hint in _KINDS:
        return _KINDS[hint](required=required)
    if issubclass(hint, Enum):
        return fields.Enum(hint, by_value=fields.String(), required=required)
    return _Part(hint, required=required)


class _OneSecret(fields.String):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.strip():
            raise ValidationError("must not be empty")
        return Secret(text, attr or "")


class _SecretList(fields.Field[Any]):
    def _deserialize(self, value: Any, attr: str | None, *_: Any, **__: Any) -> Any:
        values = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(item, str) and item.strip() for item in values):
            raise ValidationError("must be a list of texts that are not empty")
        return tuple(Secret(item, f"{attr}[{at}]") for at, item in enumerate(values))


class _Strings(fields.Field[Any]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        values = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(item, str) for item in values):
            raise ValidationError("must be a list of texts")
        return tuple(values)


class _Part(fields.Field[Any]):
    """A group of settings that belong together, as a dataclass of its own."""

    def __init__(self, part: type[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._part = part

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValidationError("must be an object")
        return load(self._part, value)


_KINDS |= {Secrets: _SecretList, Secret: _OneSecret, tuple[str, ...]: _Strings}
