"""One header with the HMAC of the body, and beside it a static token if one is agreed on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret
from providers.contract import Verified
from providers.schemes.body_hmac import BodyHmac, C
from providers.schemes.parts import same_as_any, with_headers


@dataclass(frozen=True)
class HmacAndToken(BodyHmac[C]):
    """The HMAC is lower-case hex, and is taken in either case; the token is compared as it is.

    `token_suffices` tells whether the operator accepts deliveries without any signature: whoever
    has seen the token can forge those.
    """

    token_header: str = "Authorization"  # noqa: S105 - the name of a header, no secret
    token: Callable[[C], Secret | None] = lambda _: None
    token_suffices: Callable[[C], bool] = lambda _: False

    def verify(self, delivery: Delivery, config: C) -> Verified:
        token, given = self.token(config), delivery.header_values(self.header)
        if token and self.token_suffices(config) and not given:
            verdict = Verified(token.label)
        else:
            lowered = tuple((self.header, value.lower()) for value in given)
            verdict = super().verify(replace(delivery, headers=lowered), config)
        values = delivery.header_values(self.token_header)
        if token and not (len(values) == 1 and same_as_any(token.value, values)):
            raise Rejected(Cause.BAD_CREDENTIALS, f"{self.token_header} holds another token")
        return verdict

    def sign(self, delivery: Delivery, config: C) -> Delivery:
        token = self.token(config)
        signed = super().sign(delivery, config)
        return with_headers(signed, (self.token_header, token.value)) if token else signed
