import builders
import pytest
from builders import START, at

from gateway.domain.collections import PaymentCollection, authorized_amount, status_of


def collection(amount=1000, **fields):
    values = {"id": "paycol_1", "currency_code": "EUR", "created_at": START, "updated_at": START}
    return PaymentCollection(amount=amount, **values, **fields)


def sessions(*amounts):
    """Sessions of these amounts; a negative one stands for one that is not authorized."""
    return [
        builders.session(
            f"ps_{n}", amount=abs(amount), payment_authorized_at=at(1) if amount > 0 else None
        )
        for n, amount in enumerate(amounts)
    ]


@pytest.mark.parametrize(
    ("amounts", "status", "authorized"),
    [
        ([], "not_paid", 0),
        ([-1000], "awaiting", 0),
        ([400, -600], "partially_authorized", 400),
        ([400, 600], "authorized", 1000),
        ([700, 600], "authorized", 1300),
    ],
)
def test_status_follows_from_what_is_authorized(amounts, status, authorized):
    members = sessions(*amounts)

    assert status == status_of(collection(), members)
    assert authorized == authorized_amount(members)


def test_canceled_collection_stays_canceled():
    assert "canceled" == status_of(collection(canceled_at=at(2)), sessions(1000))
