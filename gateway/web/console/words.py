"""How times, spans and money are written on the console's pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, g

from gateway.domain.money import major_units
from gateway.web.console.login import FORM_KEY

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
