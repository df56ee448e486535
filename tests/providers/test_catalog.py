from pathlib import Path

import pytest

from providers import catalog, registry

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def test_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == catalog.page(), "run `make docs`"


@pytest.mark.parametrize("adapter_id", registry.adapter_ids())
def test_page_tells_each_provider_with_its_settings(adapter_id):
    page = catalog.page()

    assert f"## {adapter_id}\n" in page
    assert f"/webhooks/{adapter_id}`" in page
