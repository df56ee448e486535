"""Ways to alter a delivery. Each yields altered cases; none, where it makes no sense."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

from provider_cases import body_of, encoded_like, live_secrets

from gateway.domain.errors import Rejected
from providers import payload
from providers.configuration import Secret

GENERIC, OWN = {}, {}
HMAC_HEX = "0123456789abcdef" * 4
ADYEN_SIGNS = (
    *("pspReference", "originalReference", "merchantAccountCode", "merchantReference"),
    *("amount.value", "amount.currency", "eventCode", "success"),
)


def altering(what, *adapters):
    """Names an alteration: one of every delivery, or of those of some adapters."""

    def register(function):
        for registered in [OWN.setdefault(one, {}) for one in adapters] or [GENERIC]:
            registered[what] = function
        return function

    return register


def alterations(adapter_id):
    return GENERIC | OWN.get(adapter_id, {})


@altering("as sent")
def _as_sent(case):
    yield case


@altering("a bit of the body flipped")
def _flipped(case):
    yield from (case.altered(body=body) for body in flipped(case.delivery.body, 0x01, 96))


@altering("a high bit of the body flipped")
def _flipped_high(case):
    yield from (case.altered(body=body) for body in flipped(case.delivery.body, 0x80, 16))


@altering("a bit of the query flipped")
def _flipped_query(case):
    query = case.delivery.query.encode()
    yield from (case.altered(query=one.decode()) for one in flipped(query, 0x01, 96))


@altering("a bit of a signature's header flipped")
def _flipped_header(case):
    for name, value in signatures(case):
        for other in flipped(value.encode(), 0x01, 200):
            yield case.with_header(name, [other.decode()])


@altering("the last byte cut off")
def _cut(case):
    yield case.altered(body=case.delivery.body[:-1])


@altering("white space around the body")
def _wider(case):
    for before, after in ((b"", b"\n"), (b"", b" "), (b" ", b""), (b"\xef\xbb\xbf", b"")):
        yield case.altered(body=before + case.delivery.body + after)


@altering("no body")
def _bodiless(case):
    yield case.altered(body=b"")


@altering("written anew")
def _rewritten(case):
    document = body_of(case)
    if isinstance(document, dict):
        for other in (document, dict(reversed(document.items()))):
            yield case.altered(body=encoded_like(case, other))
            yield case.altered(body=json.dumps(other, indent=3).encode())


@altering("another secret")
def _other_secret(case):
    yield from judged_by(case, lambda values: [another(value) for value in values])


@altering("the second of two secrets")
def _second_secret(case):
    yield from judged_by(case, lambda values: [another(values[0]), *values])


@altering("a header of the signature missing")
def _headerless(case):
    for name, _ in signatures(case):
        yield case.with_header(name, [])


@altering("a header of the signature empty")
def _empty_header(case):
    for name, _ in signatures(case):
        yield from (case.with_header(name, [value]) for value in ("", " ", ",", "="))


@altering("a header of the signature twice")
def _doubled_header(case):
    for name, value in signatures(case):
        yield case.with_header(name, [value, value])


@altering("another signature's header before the right one")
def _foreign_header(case):
    (other,) = judged_by(case, lambda values: [another(value) for value in values])
    made = dict(signatures(other.signed(case.delivery.body)))
    for name, value in signatures(case):
        yield case.with_header(name, [made[name], value])


@altering("a header of the signature cut or longer")
def _cut_header(case):
    for name, value in signatures(case):
        for other in (value[:-1], value[1:], f"{value}0", f"{value}=", value[: len(value) // 2]):
            yield case.with_header(name, [other])


@altering("a header of the signature in the other case")
def _swapped_case(case):
    for name, value in signatures(case):
        if value.swapcase() != value:
            yield case.with_header(name, [value.swapcase()])


@altering("a header of the signature that is not ASCII")
def _strange_header(case):
    for name, value in signatures(case):
        yield from (case.with_header(name, [f"{value}{more}"]) for more in ("é", "٣", "\udcff"))


def _received(seconds):
    return lambda case: iter([received_late(case, seconds)])


for _seconds in (-86_400, -301, -300, -6, -5, 5, 6, 300, 301, 86_400):
    altering(f"received {_seconds:+} s")(_received(_seconds))


@altering("signed without being UTF-8")
def _no_text(case):
    yield from signed(case, b'{"a":"\xff"}')


@altering("signed without being JSON")
def _no_json(case):
    yield from signed(case, b"genuine, but no JSON")


@altering("space after a separator", "stripe", "paddle")
def _spaced(case):
    ((name, value),) = signatures(case)
    yield case.with_header(name, [value.replace(",", ", ").replace(";", "; ")])


@altering("another signature beside the right one", "stripe", "paddle")
def _beside(case):
    ((name, value),) = signatures(case)
    joint, first, second = parted(value)
    item = f"{second.partition('=')[0]}={HMAC_HEX}"
    yield case.with_header(name, [joint.join((first, item, second))])
    yield case.with_header(name, [joint.join((second, item, first))])


@altering("an unheard-of item", "stripe", "paddle")
def _unheard_of(case):
    ((name, value),) = signatures(case)
    joint, first, second = parted(value)
    yield case.with_header(name, [joint.join((first, f"v0={HMAC_HEX}", second))])


@altering("another time before the right one", "stripe", "paddle")
def _time_first(case):
    ((name, value),) = signatures(case)
    joint, first, second = parted(value)
    yield case.with_header(name, [joint.join((another_time(first), first, second))])


@altering("another time behind the right one", "stripe", "paddle")
def _time_last(case):
    ((name, value),) = signatures(case)
    joint, first, second = parted(value)
    yield case.with_header(name, [joint.join((first, second, another_time(first)))])


@altering("the time with a sign or a zero", "stripe", "paddle")
def _signed_time(case):
    ((name, value),) = signatures(case)
    yield from (case.with_header(name, [value.replace("=", f"={more}", 1)]) for more in "+0")


@altering("two signatures in one header", "mollie")
def _listed(case):
    ((name, value),) = signatures(case)
    yield case.with_header(name, [f"sha256={HMAC_HEX},{value}"])


@altering("the signature without its prefix", "mollie")
def _unprefixed(case):
    ((name, value),) = signatures(case)
    yield case.with_header(name, [value.removeprefix("sha256=")])


@altering("two signatures in one header", "cashfree")
def _listed_by_comma(case):
    name = "x-webhook-signature"
    (value,) = case.delivery.header_values(name)
    yield case.with_header(name, [f"{another(value)},{value}"])


@altering("a digit moved from the body to the time", "cashfree")
def _moved(case):
    for made in signed(case, b"1" + case.delivery.body):
        (stamp,) = made.delivery.header_values("x-webhook-timestamp")
        longer = made.with_header("x-webhook-timestamp", [f"{stamp}1"])
        yield longer.altered(body=case.delivery.body)


@altering("a signature of the id in the other case", "mercado_pago")
def _other_case(case):
    query = dict(parse_qsl(case.delivery.query))
    mixed = case.altered(query=urlencode(query | {"data.id": "ORD01Ab"}))
    lower = case.altered(query=urlencode(query | {"data.id": "ord01ab"}))
    for made in signed(lower, case.delivery.body):
        yield made.altered(query=mixed.delivery.query)


@altering("with a tolerance, in time", "mercado_pago")
def _tolerated(case):
    yield from (received_late(tolerant(case), seconds) for seconds in (-300, 0, 300))


@altering("with a tolerance, too early or too late", "mercado_pago")
def _not_tolerated(case):
    yield from (received_late(tolerant(case), seconds) for seconds in (-301, 301))


@altering("headers of Svix", "standard_webhooks")
def _svix(case):
    yield case.altered(headers=tuple(renamed(case, "webhook-", "svix-")))


@altering("Svix's id beside the three headers", "standard_webhooks")
def _half_svix(case):
    yield case.with_header("svix-id", ["msg_other"])


@altering("a dot in the id", "standard_webhooks")
def _dotted(case):
    dotted = case.with_header("webhook-id", ["msg.1"]).with_header("svix-id", [])
    yield from signed(dotted, case.delivery.body)


@altering("a fraction of a second", "standard_webhooks")
def _fraction(case):
    for name, value in case.delivery.headers:
        if name.endswith("-timestamp"):
            yield case.with_header(name, [f"{value}.5"])


@altering("another version's signature first", "standard_webhooks")
def _version_first(case):
    for name, value in case.delivery.headers:
        if name.endswith("-signature"):
            yield case.with_header(name, [f"v2,AAAA v1,{'A' * 43}= {value}"])
            yield case.with_header(name, [f"v1a,{'A' * 86}== {value}"])


@altering("an item without a version first", "standard_webhooks")
def _no_version(case):
    for name, value in case.delivery.headers:
        if name.endswith("-signature"):
            yield case.with_header(name, [f"AAAA {value}"])


@altering("base64 that no encoder writes", "standard_webhooks")
def _loose_base64(case):
    for name, value in case.delivery.headers:
        if name.endswith("-signature") and value.endswith("="):
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            last = alphabet[alphabet.index(value[-2]) ^ 1]
            yield case.with_header(name, [f"{value[:-2]}{last}="])


@altering("an item without its signature", "adyen")
def _unsigned_item(case):
    yield from item_with(case, lambda item: item.pop("additionalData", None))
    yield from item_with(case, lambda item: item.get("additionalData", {}).clear())


@altering("an altered item behind a genuine one", "adyen")
def _second_item(case):
    document = json.loads(case.delivery.body)
    items = document.get("notificationItems")
    if items:
        forged = json.loads(json.dumps(items[0]))
        forged["NotificationRequestItem"]["pspReference"] = "FORGED0123456789"
        document["notificationItems"] = [items[0], forged]
        yield case.altered(body=json.dumps(document).encode())


@altering("a signed value written as null", "adyen")
def _null(case):
    for absent in item_with(case, lambda item: item.pop("originalReference", None)):
        for made in signed(absent, absent.delivery.body):
            yield from item_with(made, lambda item: item.update(originalReference=None))


@altering("success written as a truth value", "adyen")
def _truth(case):
    yield from item_with(case, lambda item: item.update(success=item["success"] == "true"))


@altering("a colon moved between signed values", "adyen")
def _colon(case):
    def part(item):
        item["merchantReference"] = "left:right"

    def shift(item):
        item["merchantAccountCode"] += ":left"
        item["merchantReference"] = "right"

    for parted_case in item_with(case, part):
        for made in signed(parted_case, parted_case.delivery.body):
            yield from item_with(made, shift)


@altering("an item's signed text with its signature in the header", "adyen")
def _posing_text(case):
    for made in signed(case, case.delivery.body):
        items = json.loads(made.delivery.body).get("notificationItems")
        if items:
            item = items[0]["NotificationRequestItem"]
            values = [str(payload.dig(item, path) or "") for path in ADYEN_SIGNS]
            text = ":".join(values).encode()
            value = item["additionalData"]["hmacSignature"]
            yield made.altered(body=text).with_header("hmacsignature", [value])


@altering("without basic authentication", "adyen")
def _without_basic_auth(case):
    if case.config.basic_auth:
        yield case.with_header("Authorization", [])


@altering("another key's signature first", "braintree")
def _other_key_first(case):
    form = dict(parse_qsl(case.delivery.body.decode()))
    many = f"otherkey|{'0' * 40}&{form['bt_signature']}"
    yield case.altered(body=urlencode(form | {"bt_signature": many}).encode())


@altering("another signature of the key first", "braintree")
def _other_signature_first(case):
    form = dict(parse_qsl(case.delivery.body.decode()))
    key = form["bt_signature"].partition("|")[0]
    many = f"{key}|{'0' * 40}&{form['bt_signature']}"
    yield case.altered(body=urlencode(form | {"bt_signature": many}).encode())


@altering("without the last newline of the payload", "braintree")
def _trimmed(case):
    form = dict(parse_qsl(case.delivery.body.decode()))
    trimmed = form["bt_payload"].removesuffix("\n")
    yield case.altered(body=urlencode(form | {"bt_payload": trimmed}).encode())


@altering("a field of the form missing", "braintree")
def _fieldless(case):
    form = dict(parse_qsl(case.delivery.body.decode()))
    for name in form:
        yield case.altered(body=urlencode({k: v for k, v in form.items() if k != name}).encode())
        yield case.altered(body=urlencode(form | {name: ""}).encode())


@altering("a field of the form twice", "braintree")
def _fields_twice(case):
    form = dict(parse_qsl(case.delivery.body.decode()))
    more = urlencode({"bt_payload": form["bt_payload"]}).encode()
    yield case.altered(body=case.delivery.body + b"&" + more)


def flipped(content, bit, most):
    """The content with one byte changed, at so many places spread over it."""
    step = max(1, len(content) // most)
    for at in range(0, len(content), step):
        yield content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]


def signatures(case):
    """The headers that are there because of the signature, in lower case."""
    names = {name.lower() for name in case.signature_headers()} - {"authorization"}
    headers = ((name.lower(), value) for name, value in case.delivery.headers)
    return [(name, value) for name, value in headers if name in names]


def signed(case, body):
    with suppress(Rejected):
        yield case.signed(body)


def judged_by(case, change):
    """The case before a configuration with other secrets."""
    for name, values in live_secrets(case.config):
        secrets = (Secret(value, f"{name}[{at}]") for at, value in enumerate(change(values)))
        yield configured(case, **{name: tuple(secrets)})


def configured(case, **settings):
    config = replace(case.config, **settings)
    return case.judged_by(replace(case.instance, config=config))


def tolerant(case):
    return configured(case, tolerance_seconds=300)


def received_late(case, seconds):
    return case.altered(received_at=case.delivery.received_at + timedelta(seconds=seconds))


def another(secret):
    """A text of the same form: hex stays hex, base64 stays base64."""
    middle = len(secret) // 2
    return f"{secret[:middle]}{'B' if secret[middle] != 'B' else 'C'}{secret[middle + 1 :]}"


def parted(value):
    """What separates the items of a header, and its two items."""
    joint = ";" if ";" in value else ","
    first, second = value.split(joint)
    return joint, first, second


def another_time(item):
    return f"{item[:-1]}{(int(item[-1]) + 1) % 10}"


def renamed(case, prefix, new):
    for name, value in case.delivery.headers:
        yield (new + name.removeprefix(prefix) if name.startswith(prefix) else name), value


def item_with(case, change):
    """The delivery with a change of its first item, which is not signed anew."""
    document = json.loads(case.delivery.body)
    items = document.get("notificationItems")
    if items:
        change(items[0]["NotificationRequestItem"])
        yield case.altered(body=json.dumps(document).encode())
