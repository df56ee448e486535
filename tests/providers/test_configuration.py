from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from marshmallow import ValidationError, validate

from providers.configuration import Secret, Secrets, load, settings


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Part:
    name: Annotated[str, "a name"]
    colour: Colour | None = None


@dataclass(frozen=True, kw_only=True)
class Config:
    secrets: Annotated[Secrets, "where secrets are"]
    key: Annotated[Secret | None, "a key"] = None
    size: Annotated[int, "a size", validate.Range(1, 9)] = 3
    loud: bool = False
    unit: Annotated[Literal["minor", "major"], "a unit"] = "minor"
    names: tuple[str, ...] = ()
    part: Part | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)


def faults(raw):
    with pytest.raises(ValidationError) as refused:
        load(Config, raw)
    return refused.value.messages


def test_values_are_loaded():
    raw = {
        "secrets": ["a", "b"],
        "key": "k",
        "size": "4",
        "loud": "true",
        "unit": "major",
        "names": ["x"],
        "part": {"name": "p", "colour": "red"},
        "parts": {"q": {"name": "r"}},
    }
    expected = Config(
        secrets=(Secret("a", "secrets[0]"), Secret("b", "secrets[1]")),
        key=Secret("k", "key"),
        size=4,
        loud=True,
        unit="major",
        names=("x",),
        part=Part(name="p", colour=Colour.RED),
        parts={"q": Part(name="r")},
    )
    assert expected == load(Config, raw)


def test_defaults_stand_and_one_secret_needs_no_list():
    assert Config(secrets=(Secret("a", "secrets[0]"),)) == load(Config, {"secrets": "a"})


def test_every_fault_is_told_at_once():
    raw = {"size": 10, "unit": "cents", "parts": {"q": {"colour": "blue"}}, "nonsense": 1}
    assert {"secrets", "size", "unit", "parts", "nonsense"} == set(faults(raw))
    assert {"name", "colour"} == set(faults(raw)["parts"]["q"]["value"])


@pytest.mark.parametrize("secrets", [[""], [" "], [7], 7, None, {"a": "b"}])
def test_secret_must_be_a_text(secrets):
    assert {"secrets"} == set(faults({"secrets": secrets}))


@pytest.mark.parametrize("key", ["", " ", 7])
def test_single_secret_must_be_a_text(key):
    assert {"key"} == set(faults({"secrets": "a", "key": key}))


@pytest.mark.parametrize("part", [7, [], "x", {"name": 7}, {}])
def test_part_must_be_an_object_of_its_settings(part):
    assert {"part"} == set(faults({"secrets": "a", "part": part}))


@pytest.mark.parametrize("names", [[7], 7])
def test_texts_must_be_texts(names):
    assert {"names"} == set(faults({"secrets": "a", "names": names}))


def test_secret_is_never_printed():
    loaded = load(Config, {"secrets": ["hidden"], "key": "hidden"})
    assert "hidden" not in f"{loaded} {loaded!r} {loaded.key} {loaded.secrets}"


def test_settings_tell_where_and_whether():
    found = settings(Config)
    assert ("where secrets are", True) == found["secrets"]
    assert ("a size", False) == found["size"]
    assert ("", False) == found["loud"]
