from importlib.metadata import EntryPoint, EntryPoints

import pytest

from providers import registry
from providers.contract import Adapter


def _forget():
    registry.adapter.cache_clear()
    registry.adapter_ids.cache_clear()


@pytest.fixture
def outside(monkeypatch):
    """Adapters that other packages bring: name -> `module:attribute`."""

    def install(**found):
        points = EntryPoints(EntryPoint(n, v, "gateway.providers") for n, v in found.items())
        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        _forget()

    yield install
    _forget()


@pytest.mark.parametrize("adapter_id", registry.adapter_ids())
def test_adapter_is_found_by_its_id(adapter_id):
    found = registry.adapter(adapter_id)
    assert isinstance(found, Adapter)
    assert adapter_id == found.id


def test_unknown_adapter_is_a_key_error():
    with pytest.raises(KeyError):
        registry.adapter("teleport")


def test_adapter_from_outside_is_found(outside):
    outside(elsewhere="providers.stripe:adapter")
    assert "elsewhere" in registry.adapter_ids()
    assert "stripe" == registry.adapter("elsewhere").id


def test_namesake_from_outside_does_not_replace_ours(outside):
    outside(adyen="providers.stripe:adapter")
    assert sorted(set(registry.adapter_ids())) == list(registry.adapter_ids())
    assert "adyen" == registry.adapter("adyen").id


def test_entry_point_must_name_an_adapter(outside):
    outside(broken="json:dumps")
    with pytest.raises(TypeError, match="broken"):
        registry.adapter("broken")


def test_configuration_of_an_instance_is_never_printed(instance_of):
    assert "config" not in repr(instance_of("stripe"))
