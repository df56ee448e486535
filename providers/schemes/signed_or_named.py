"""Signed JSON, and on the same URL unsigned forms that only name what the API has to tell about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.form_hmac import form_fields
from providers.schemes.listed_hmac import ListedHmac

C = TypeVar("C")


@dataclass(frozen=True)
class SignedOrNamed(ListedHmac[C]):
    """Like ListedHmac for all but forms; those wait for the API, so `token` must be configured."""

    token: Callable[[C], Secret | None] = lambda _: None

    def verify(self, delivery: Delivery, config: C) -> Verified:
        if named_in_form(delivery) is None:
            return super().verify(delivery, config)
        if self.token(config) is None:
            raise Rejected(Cause.NOT_CONFIGURED, "configure access to the API: this is not signed")
        return Verified(settled=False)


def named_in_form(delivery: Delivery) -> dict[str, str] | None:
    """The fields of an unsigned form; none of one that cannot be read.

    None: it is no form, whatever its headers say, so it has to be signed.
    """
    kind = " ".join(delivery.header_values("Content-Type")).lower()
    if "json" in kind or delivery.body.lstrip().startswith((b"{", b"[")):
        return None
    if "form-urlencoded" not in kind and not delivery.body.startswith(b"id="):
        return None
    try:
        return form_fields(delivery.body)
    except Rejected:
        return {}
