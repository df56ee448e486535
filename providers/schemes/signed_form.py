"""Braintree's family: a form with XML in base64, and its HMAC for every live API key."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode
from xml.parsers import expat

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret, Secrets
from providers.contract import Reply, Verified
from providers.schemes.form_hmac import form_fields
from providers.schemes.parts import base64_bytes, forged, live, same_as_any

_LEGAL = re.compile(r"[A-Za-z0-9+=/\n]+")
_CHALLENGE = re.compile(r"[a-f0-9]{20,32}")
_LINE, _MAX_DEPTH = 60, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFormConfig:
    public_key: Annotated[tuple[str, ...], "Control Panel > API > Keys: of every live API key"]
    private_key: Annotated[Secrets, "the same page, in the same order"]


class SignedForm:
    """`bt_signature` holds, for every live API key, its public key and the HMAC of `bt_payload`."""

    def verify(self, delivery: Delivery, config: SignedFormConfig) -> Verified:
        secrets = live(config.private_key)
        form = form_fields(delivery.body)
        pairs = [pair.strip().partition("|") for pair in form.get("bt_signature", "").split("&")]
        if not any(name for name, _, _ in pairs):
            raise Rejected(Cause.MISSING_SIGNATURE, "the form has no bt_signature")
        content = form.get("bt_payload", "")
        if not content:
            raise Rejected(Cause.MALFORMED, "the form has no bt_payload")
        if not _LEGAL.fullmatch(content):
            raise forged()
        given = [made for name, _, made in pairs if name in config.public_key]
        if not given:
            raise Rejected(Cause.UNKNOWN_KEY, "no signature is of a configured public key")
        # Some senders' stacks trim the newline that was signed.
        texts = (content, f"{content}\n")
        for secret in secrets:
            if any(same_as_any(keyed_hash(secret, text), given) for text in texts):
                return Verified(secret.label)
        raise forged()

    def sign(self, delivery: Delivery, config: SignedFormConfig) -> Delivery:
        """Wraps a body of XML; signs one that is wrapped already anew."""
        wrapped = delivery.body.startswith(b"bt_")
        content = form_fields(delivery.body).get("bt_payload", "") if wrapped else ""
        if not content:
            text = b64encode(delivery.body).decode()
            content = "".join(f"{text[i : i + _LINE]}\n" for i in range(0, len(text), _LINE))
        made = signature(content, config)
        form = {"bt_signature": made, "bt_payload": content}
        return replace(delivery, body=urlencode(form).encode())


def signature(text: str, config: SignedFormConfig) -> str:
    """The first live key pair's public key, and its HMAC of a text."""
    if not config.public_key:
        raise Rejected(Cause.NOT_CONFIGURED, "public_key: is empty")
    return f"{config.public_key[0]}|{keyed_hash(live(config.private_key)[0], text)}"


def answered_challenge(delivery: Delivery, config: SignedFormConfig) -> Reply | None:
    """The answer to a GET that asks whether we have the key; None for everything else.

    Raises MALFORMED for a challenge of another form.
    """
    asked = [value for name, value in parse_qsl(delivery.query) if name == "bt_challenge"]
    if delivery.method != "GET" or not asked:
        return None
    if len(asked) != 1 or not _CHALLENGE.fullmatch(asked[0]):
        raise Rejected(Cause.MALFORMED, "bt_challenge: must be 20 to 32 digits of hex")
    return Reply(body=signature(asked[0], config))


def signed_text(delivery: Delivery) -> str:
    """The payload as it was signed: the same whatever keys are live; empty, where there is none."""
    try:
        return form_fields(delivery.body).get("bt_payload", "")
    except Rejected:
        return ""


def keyed_hash(secret: Secret, text: str) -> str:
    key = hashlib.sha1(secret.bytes).digest()  # noqa: S324 - Braintree's choice
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha1").hex()


def xml_payload(delivery: Delivery, root: str) -> Mapping[str, Any]:
    """What stands in the root of the XML in a verified form. Raises Rejected(MALFORMED)."""
    document = base64_bytes(signed_text(delivery).replace("\n", ""))
    found = _Document().read(document or b"").get(root)
    if not isinstance(found, Mapping):
        raise Rejected(Cause.MALFORMED, f"the payload holds no {root}")
    return found


@dataclass(slots=True)
class _Element:
    name: str
    is_nil: bool
    texts: list[str] = field(default_factory=list)
    inner: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> Any:
        if self.is_nil:
            return None
        return self.inner or "".join(self.texts).strip()


class _Document:
    """Reads XML into texts and dictionaries; of equal elements the first counts."""

    def __init__(self) -> None:
        self._open = [_Element("", is_nil=False)]

    def read(self, document: bytes) -> dict[str, Any]:
        """Raises Rejected(MALFORMED)."""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(document, True)  # noqa: FBT003 - it takes no keywords
        except (expat.ExpatError, LookupError, ValueError):
            raise Rejected(Cause.MALFORMED, "the payload holds no XML") from None
        return self._open[0].inner

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _MAX_DEPTH:
            raise Rejected(Cause.MALFORMED, "the XML is too deep")
        self._open.append(_Element(name, attributes.get("nil") == "true"))

    def _end(self, name: str) -> None:
        done = self._open.pop()
        self._open[-1].inner.setdefault(name, done.value)

    def _text(self, text: str) -> None:
        self._open[-1].texts.append(text)

    def _refuse(self, *_: object) -> None:
        raise Rejected(Cause.MALFORMED, "the XML must not declare a document type")
