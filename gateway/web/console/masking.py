"""How bodies are shown: as people read them, without what they say about persons."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

MASK = "•••"
# What says who somebody is, or lets somebody pay: the console shows that it is there, not what.
_PERSONAL = re.compile(
    r"name|mail|phone|mobile|address|line_?[12]|street|city|post|zip|birth|tax|document"
    r"|card|pan|cvc|cvv|iban|bic|account_?(no|number|holder)|last_?4|exp_?(month|year|iry)|holder|shopper|payer"
    r"|buyer|customer|consumer|\bip\b|_ip|ip_|secret|token|password|signature|hmac",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
# Of a body on a page; the API and `gateway deliveries show` give the whole of it.
_MOST = 20_000


def masked(raw: bytes) -> str:
    """A body as people read it, without what it says about persons."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"{len(raw)} bytes that are no UTF-8"
    return _masked_text(text)[:_MOST]


def _masked_text(text: str) -> str:
    try:
        return json.dumps(_masked(json.loads(text)), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        pass
    pairs = parse_qsl(text, keep_blank_values=True) if "=" in text and "<" not in text else []
    if pairs:
        shown = [(name, MASK if _PERSONAL.search(name) else value) for name, value in pairs]
        text = urlencode(shown, safe=MASK + "[]").replace("&", "\n")
    return _ANYWHERE.sub(MASK, text)


def _masked(value: Any, name: str = "") -> Any:
    match value:
        case dict():
            return {key: _masked(part, key) for key, part in value.items()}
        case list():
            return [_masked(part, name) for part in value]
        case bool() | None:
            return value
        case str() | int() | float() if value and _PERSONAL.search(name):
            return MASK
        case str():
            return _ANYWHERE.sub(MASK, value)
        case _:
            return value
