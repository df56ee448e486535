"""The providers' own SDKs, asked for their verdict on a delivery as their users ask them."""

import json
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from types import SimpleNamespace
from unittest.mock import patch
from urllib.parse import parse_qs

import coinbase_commerce.webhook
import gocardless_pro.webhooks
import mercadopago.webhook
import mollie.utils.webhooks
import razorpay
import square.utils.webhooks_helper
import standardwebhooks
import stripe
import svix.webhooks
from Adyen.util import is_valid_hmac_notification, is_valid_hmac_payload
from paddle_billing.Notifications import Secret, Verifier

with warnings.catch_warnings():
    # Both still use, on import, what Python or pydantic has deprecated: no concern of ours.
    warnings.simplefilter("ignore", DeprecationWarning)
    import braintree
    import cashfree_pg.api_client


@dataclass(frozen=True)
class Sdk:
    """`judge` is given a delivery, a configuration and one of its secrets.

    It returns something false, or raises anything, for what the SDK refuses. `clock` makes the
    SDK take a moment for now.
    """

    package: str
    adapter_id: str
    judge: Callable
    secrets: Callable
    clock: Callable[[datetime], AbstractContextManager] = lambda _: nullcontext()

    def accepts(self, case):
        with self.clock(case.delivery.received_at):
            return any(self._judged(case, secret.value) for secret in self.secrets(case.config))

    def _judged(self, case, secret):
        try:
            return bool(self.judge(case.delivery, case.config, secret))
        except Exception:  # noqa: BLE001 - whatever it raises, it does not accept
            return False


def header(delivery, name):
    """What a web framework gives for a header: doubled ones joined; None where there is none."""
    return ",".join(delivery.header_values(name)) if delivery.header_values(name) else None


def form(delivery):
    return {name: values[0] for name, values in parse_qs(delivery.body.decode()).items()}


# The SDKs read the clock themselves, so in their modules it is set to the receipt.
def in_stripe(moment):
    clock = SimpleNamespace(time=moment.timestamp)
    return patch.object(import_module("stripe._webhook"), "time", clock)


def in_paddle(moment):
    return patch.object(
        import_module("paddle_billing.Notifications.Verifier"), "time", moment.timestamp
    )


def in_standard_webhooks(moment):
    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment.astimezone(tz)

    return patch.object(import_module("standardwebhooks.webhooks"), "datetime", Stopped)


def by_adyen(delivery, config, secret):
    signature = header(delivery, "hmacsignature")
    if signature:
        return is_valid_hmac_payload(signature, secret, delivery.body)
    return is_valid_hmac_notification(json.loads(delivery.body), secret)


def braintree_gateway(config, private_key):
    environment = braintree.Environment.Sandbox
    return braintree.BraintreeGateway(
        braintree.Configuration(
            environment, config.merchant_id, config.public_key[0], private_key=private_key
        )
    )


def braintree_kinds():
    named = vars(braintree.WebhookNotification.Kind).items()
    return sorted(value for name, value in named if not name.startswith("_"))


def by_braintree(delivery, config, secret):
    sent = form(delivery)
    gateway = braintree_gateway(config, secret)
    return gateway.webhook_notification.parse(sent["bt_signature"], sent["bt_payload"])


def by_cashfree(delivery, config, secret):
    client = cashfree_pg.api_client.Cashfree(
        XEnvironment=cashfree_pg.api_client.Cashfree.SANDBOX, XClientSecret=secret
    )
    return client.PGVerifyWebhookSignature(
        header(delivery, "x-webhook-signature"),
        delivery.body.decode(),
        header(delivery, "x-webhook-timestamp"),
    )


def by_coinbase_commerce(delivery, config, secret):
    signature = header(delivery, "X-CC-Webhook-Signature")
    event = coinbase_commerce.webhook.Webhook.construct_event(
        delivery.body.decode(), signature, secret
    )
    return event is not None


def by_gocardless(delivery, config, secret):
    signature = header(delivery, "Webhook-Signature")
    return gocardless_pro.webhooks.parse(delivery.body, secret, signature) is not None


def by_mercado_pago(delivery, config, secret):
    mercadopago.webhook.WebhookSignatureValidator.validate(
        header(delivery, "x-signature"),
        header(delivery, "x-request-id"),
        parse_qs(delivery.query).get("data.id", [None])[0],
        secret,
        tolerance_seconds=config.tolerance_seconds,
        now=lambda: delivery.received_at.timestamp() * 1000,
    )
    return True


def by_mollie(delivery, config, secret):
    return mollie.utils.webhooks.SignatureValidator.validate(
        delivery.body.decode(), secret, delivery.header_values("X-Mollie-Signature")
    )


def by_paddle(delivery, config, secret):
    signature = header(delivery, "Paddle-Signature")
    headers = {"Paddle-Signature": signature} if signature else {}
    request = SimpleNamespace(body=delivery.body, headers=headers)
    return Verifier(config.tolerance_seconds).verify(request, Secret(secret))


def by_razorpay(delivery, config, secret):
    utility = razorpay.Client(auth=("key", "unused")).utility
    signature = header(delivery, "X-Razorpay-Signature")
    return utility.verify_webhook_signature(delivery.body.decode(), signature, secret)


def by_square(delivery, config, secret):
    return square.utils.webhooks_helper.verify_signature(
        request_body=delivery.body.decode(),
        signature_header=header(delivery, "x-square-hmacsha256-signature"),
        signature_key=secret,
        notification_url=config.notification_url,
    )


def by_standard_webhooks(delivery, config, secret):
    headers = {name: header(delivery, name) for name, _ in delivery.headers}
    standardwebhooks.Webhook(secret).verify(delivery.body, headers, json_parse=False)
    return True


def by_stripe(delivery, config, secret):
    return stripe.WebhookSignature.verify_header(
        delivery.body,
        header(delivery, "Stripe-Signature"),
        secret,
        stripe.Webhook.DEFAULT_TOLERANCE,
    )


def by_svix(delivery, config, secret):
    headers = {name: header(delivery, name) for name, _ in delivery.headers}
    svix.webhooks.Webhook(secret).verify(delivery.body, headers)
    return True


def webhook_secrets(config):
    return config.webhook_secrets


SDKS = (
    Sdk("adyen", "adyen", by_adyen, lambda its: its.hmac_keys),
    Sdk("braintree", "braintree", by_braintree, lambda its: its.private_key),
    Sdk("cashfree_pg", "cashfree", by_cashfree, lambda its: its.client_secrets),
    Sdk("coinbase-commerce", "coinbase_commerce", by_coinbase_commerce, webhook_secrets),
    Sdk("gocardless_pro", "gocardless", by_gocardless, webhook_secrets),
    Sdk("mercadopago", "mercado_pago", by_mercado_pago, webhook_secrets),
    Sdk("mollie-api-py", "mollie", by_mollie, lambda its: its.signing_secrets),
    Sdk("paddle-python-sdk", "paddle", by_paddle, webhook_secrets, in_paddle),
    Sdk("razorpay", "razorpay", by_razorpay, webhook_secrets),
    Sdk("squareup", "square", by_square, lambda its: its.signature_keys),
    Sdk(
        "standardwebhooks",
        "standard_webhooks",
        by_standard_webhooks,
        lambda its: its.secrets,
        in_standard_webhooks,
    ),
    Sdk("stripe", "stripe", by_stripe, webhook_secrets, in_stripe),
    Sdk("svix", "standard_webhooks", by_svix, lambda its: its.secrets, in_standard_webhooks),
)
