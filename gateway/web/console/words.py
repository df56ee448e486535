"""How times, spans, money and bodies are written on the console's pages."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, g

from gateway.domain.money import major_units
from gateway.web.console.login import FORM_KEY

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
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def register(routes: Blueprint) -> None:
    """Gives these words to the templates."""
    for word in (moment, span, money):
        routes.add_app_template_filter(word, f"console_{word.__name__}")

    @routes.context_processor
    def known() -> dict[str, Any]:
        login = g.get("login")
        return {
            "form_key": login.form_key if login else "",
            "form_key_name": FORM_KEY,
            "who": login.token.name if login else "",
            "may_act": g.get("may_act", False),
        }


def moment(at: datetime | None) -> str:
    """A time as UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else "-"


def span(length: timedelta | float | None) -> str:
    """A length of time in its largest unit."""
    if length is None:
        return "-"
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s" if abs(seconds) >= 1 else f"{seconds * 1000:.0f} ms"


def money(amount: int | None, currency: str | None) -> str:
    if amount is None or currency is None:
        return "-"
    return f"{major_units(amount, currency)} {currency}"


def body(raw: bytes) -> str:
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
        masked = [(name, MASK if _PERSONAL.search(name) else value) for name, value in pairs]
        text = urlencode(masked, safe=MASK + "[]").replace("&", "\n")
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
