from dataclasses import replace

import pytest
from builders import START, at

from gateway.domain.collections import PaymentCollection
from gateway.domain.errors import Conflict, NotFound
from gateway.store.collections import Collections


@pytest.fixture
def collections(store):
    return Collections(store)


MADE = PaymentCollection(
    id="paycol_1",
    amount=1000,
    currency_code="EUR",
    created_at=START,
    updated_at=START,
    session_ids=("ps_1",),
    description="d",
    metadata={"x": 1},
    version=1,
)


def test_collection_comes_back_as_it_was_written(collections):
    collections.put(MADE)
    changed = replace(MADE, version=2, canceled_at=at(5))
    collections.put(changed)

    assert changed == collections.get("paycol_1")


def test_missing_collection_is_not_found(collections):
    with pytest.raises(NotFound, match="paycol_9"):
        collections.get("paycol_9")


@pytest.mark.parametrize("version", [1, 3])
def test_writing_over_another_version_is_a_conflict(collections, version):
    collections.put(MADE)
    with pytest.raises(Conflict):
        collections.put(replace(MADE, version=version))
