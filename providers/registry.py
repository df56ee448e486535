"""Which adapters there are: those in this tree, and those that other packages bring.

An outside package names its adapter under the entry-point group `gateway.providers`.
Adapters are imported when they are asked for, so a process holds only those that it uses.
"""

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from providers.contract import Adapter

_GROUP = "gateway.providers"
# Each is the name of a module beside this one, which holds the adapter as `adapter`.
_BUILT_IN = (
    "adyen",
    "airwallex",
    "amazon_pay",
    "authorize_net",
    "bitpay",
    "bluesnap",
    "braintree",
    "btcpay_server",
    "cashfree",
    "checkout_com",
    "coinbase_commerce",
    "cybersource",
    "flutterwave",
    "gocardless",
    "iyzico",
    "klarna",
    "lemon_squeezy",
    "manual",
    "mercado_pago",
    "midtrans",
    "mollie",
    "nuvei",
    "omise",
    "opennode",
    "paddle",
    "paymongo",
    "paypal",
    "payplug",
    "paystack",
    "payu",
    "phonepe",
    "przelewy24",
    "rapyd",
    "razorpay",
    "redsys",
    "square",
    "standard_webhooks",
    "stripe",
    "tap",
    "vipps_mobilepay",
    "worldpay",
    "xendit",
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One configured account: `name` is the provider_id of its sessions and ends its URL.

    `livemode` is the mode whose events it applies; None applies both. `api_base` stands in for the
    scheme and host of the provider's API, so that development can ask a stand-in on loopback.
    `max_body` is how many bytes its webhooks may have; None: as many as all others.
    """

    name: str
    adapter: Adapter[Any]
    config: Any = field(repr=False)
    livemode: bool | None = None
    api_base: str | None = None
    max_body: int | None = None

    @property
    def mode(self) -> str:
        """`livemode` in words."""
        return {True: "live", False: "test", None: "live and test"}[self.livemode]


@cache
def adapter_ids() -> tuple[str, ...]:
    """All known adapters, in alphabetical order; one in this tree wins over a namesake outside."""
    outside = {entry.name for entry in entry_points(group=_GROUP)}
    return tuple(sorted(outside.union(_BUILT_IN)))


@cache
def adapter(adapter_id: str) -> Adapter[Any]:
    """The adapter of that id. Raises KeyError if there is none."""
    if adapter_id in _BUILT_IN:
        found = import_module(f"providers.{adapter_id}").adapter
    else:
        found = entry_points(group=_GROUP)[adapter_id].load()
    if not isinstance(found, Adapter):
        raise TypeError(f"{adapter_id}: its entry point must name an instance of Adapter")
    return found
