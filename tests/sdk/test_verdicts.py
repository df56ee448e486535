"""Our verdicts against those of the providers' own SDKs, on the same bytes."""

from urllib.parse import urlencode

import pytest
import standardwebhooks
import stripe
from Adyen.util import generate_notification_sig
from mollie.utils.webhooks import SignatureValidator
from provider_cases import AT, VECTORS, body_of, case_of, instance_of, recorded
from sdk.alterations import alterations
from sdk.differences import BEYOND, DIFFERENCES
from sdk.judges import SDKS, braintree_gateway, braintree_kinds

from gateway.domain.errors import Rejected
from providers import simulator

WHOLE_SECOND = AT.replace(microsecond=0)
BY_PACKAGE = {sdk.package: sdk for sdk in SDKS}
LISTED = [(one, package) for one in DIFFERENCES for package in one.sdks]


def vectors_of(sdk):
    given = [param.values[0] for param in VECTORS]
    return {one["name"]: recorded(one) for one in given if one["provider"] == sdk.adapter_id}


def simulated(sdk):
    instance = instance_of(sdk.adapter_id)
    kinds = simulator.kinds(sdk.adapter_id)
    return {kind: case_of(instance, kind, at=WHOLE_SECOND) for kind in kinds}


def deliveries(sdk):
    judged = {k: v for k, v in vectors_of(sdk).items() if (sdk.package, k) not in BEYOND}
    return simulated(sdk) | judged


def altered(sdk, alteration):
    for name, case in deliveries(sdk).items():
        for one in alterations(sdk.adapter_id)[alteration](case):
            yield name, one


def verdicts(package, alteration):
    """The delivery's name, whether we accept what was made of it, whether the SDK does."""
    sdk = BY_PACKAGE[package]
    for name, case in altered(sdk, alteration):
        yield name, accepted(case), sdk.accepts(case)


def accepted(case):
    try:
        case.verify()
    except Rejected:
        return False
    return True


def covers(difference, name, ours):
    return ours == difference.we_accept and (not difference.only or name in difference.only)


# Not every alteration makes something of what every provider sends.
PAIRS = [
    (sdk.package, what)
    for sdk in SDKS
    for what in alterations(sdk.adapter_id)
    if any(True for _ in altered(sdk, what))
]


@pytest.mark.parametrize("package", BY_PACKAGE)
def test_simulated_delivery_is_accepted_by_both(package):
    sdk = BY_PACKAGE[package]
    for name, case in simulated(sdk).items():
        assert (True, True) == (accepted(case), sdk.accepts(case)), name


@pytest.mark.parametrize(("package", "alteration"), PAIRS)
def test_verdicts_are_the_same_but_for_the_listed_differences(package, alteration):
    listed = [d for d in DIFFERENCES if d.alteration == alteration and package in d.sdks]
    found = [
        f"{name}: we {'accept' if ours else 'refuse'} it"
        for name, ours, theirs in verdicts(package, alteration)
        if ours != theirs and not any(covers(one, name, ours) for one in listed)
    ]
    assert [] == found


@pytest.mark.parametrize(("difference", "package"), LISTED)
def test_listed_difference_is_there(difference, package):
    """One that an SDK or an adapter has done away with must leave the list."""
    found = verdicts(package, difference.alteration)
    assert any(covers(difference, name, ours) for name, ours, theirs in found if ours != theirs)


@pytest.mark.parametrize(("package", "name"), BEYOND)
def test_delivery_that_is_beyond_the_sdk_is_refused_by_it(package, name):
    sdk = BY_PACKAGE[package]
    assert not sdk.accepts(vectors_of(sdk)[name])


@pytest.mark.parametrize("kind", simulator.kinds("stripe"))
def test_what_stripe_signs_is_accepted(kind):
    case = simulated(BY_PACKAGE["stripe"])[kind]
    made = stripe.WebhookSignature.generate_signature_header(
        case.delivery.body.decode(),
        case.config.webhook_secrets[0].value,
        int(WHOLE_SECOND.timestamp()),
    )
    assert made == case.delivery.header_values("Stripe-Signature")[0]


@pytest.mark.parametrize("kind", simulator.kinds("standard_webhooks"))
def test_what_standard_webhooks_sign_is_accepted(kind):
    case = simulated(BY_PACKAGE["standardwebhooks"])[kind]
    (message_id,) = case.delivery.header_values("webhook-id")
    webhook = standardwebhooks.Webhook(case.config.secrets[0].value)
    made = webhook.sign(message_id, WHOLE_SECOND, case.delivery.body.decode())
    assert (made,) == tuple(case.delivery.header_values("webhook-signature"))


@pytest.mark.parametrize("kind", simulator.kinds("mollie"))
def test_what_mollie_signs_is_accepted(kind):
    case = simulated(BY_PACKAGE["mollie-api-py"])[kind]
    secret = case.config.signing_secrets[0].value
    made = SignatureValidator.create_signature(case.delivery.body.decode(), secret)
    assert f"sha256={made}" == case.delivery.header_values("X-Mollie-Signature")[0]


@pytest.mark.parametrize("kind", simulator.kinds("adyen"))
def test_what_adyen_signs_is_accepted(kind):
    case = simulated(BY_PACKAGE["adyen"])[kind]
    (wrapper,) = body_of(case)["notificationItems"]
    item = wrapper["NotificationRequestItem"]
    made = generate_notification_sig(item, case.config.hmac_keys[0].value).decode()
    assert made == item["additionalData"]["hmacSignature"]


@pytest.mark.parametrize("kind", braintree_kinds())
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_what_braintree_makes_as_a_sample_is_accepted_and_read(kind):
    """The SDK writes the sample's time by a call that newer Pythons warn of."""
    instance = instance_of("braintree")
    secret = instance.config.private_key[0].value
    sample = braintree_gateway(instance.config, secret).webhook_testing.sample_notification(
        kind, "sample1"
    )
    case = case_of(instance, "captured").altered(body=urlencode(sample).encode())
    assert accepted(case)
    assert BY_PACKAGE["braintree"].accepts(case)
    (told,) = case.events()
    assert told.recognized
    assert kind in told.type


def test_braintree_challenge():
    instance = instance_of("braintree")
    gateway = braintree_gateway(instance.config, instance.config.private_key[0].value)
    challenge = "20f9f8ed05f77439fe955c977e4c8a53"
    asked = case_of(instance, "captured").altered(
        method="GET", query=f"bt_challenge={challenge}", body=b""
    )
    reply = instance.adapter.handshake(asked.delivery, instance.config)
    assert gateway.webhook_notification.verify(challenge) == reply.body
