"""`python -m providers.catalog`: the page about every provider, made of the adapters themselves."""

import ast
import inspect
import sys
from typing import Any

from providers import registry
from providers.configuration import settings
from providers.contract import Adapter
from providers.meanings import Meaning

_HEAD = """\
# Providers

This page is made of the adapters by `make docs`; a test fails when it is stale.

Each adapter's webhook URL is `https://<your host>/webhooks/<instance>`; the instance is named like
the adapter, and further accounts are named in `GATEWAY_INSTANCES`. A setting is given as
`GATEWAY_<INSTANCE>_<SETTING>`, a list with commas or as JSON; secrets are lists, so that a rotation
needs no gap. `GATEWAY_<INSTANCE>_LIVE` applies events of one mode only.

A notification that does not prove itself is **fetched back**: it is acknowledged and kept, and
nothing is applied before the provider's API has told what is true.
"""


def page() -> str:
    """The whole page, as Markdown."""
    adapters = [registry.adapter(adapter_id) for adapter_id in registry.adapter_ids()]
    index = ", ".join(f"[{adapter.id}](#{adapter.id})" for adapter in adapters)
    return "\n".join([_HEAD, index, "", *(_section(adapter) for adapter in adapters)])


def _section(adapter: Adapter[Any]) -> str:
    lines = [f"## {adapter.id}", "", _about(adapter), ""]
    methods = " or ".join(adapter.methods)
    lines += [f"Webhook: `{methods} /webhooks/{adapter.id}`; {_proof(adapter)}.", ""]
    if adapter.unproven:
        lines += [f"Not proven: {adapter.unproven}.", ""]
    lines += ["| setting | | where it is found |", "| --- | --- | --- |"]
    lines += [_setting(name, *told) for name, told in settings(adapter.Config).items()]
    lines += ["", "| the provider's word | status | payment |", "| --- | --- | --- |"]
    lines += [_meaning(word, meaning) for word, meaning in adapter.words.items()]
    if adapter.ignored:
        lines += [
            "",
            "Ignored: " + ", ".join(f"`{word}`" for word in sorted(adapter.ignored)) + ".",
        ]
    return "\n".join([*lines, ""])


def _about(adapter: Adapter[Any]) -> str:
    """The first paragraph of the adapter's module: its name, and the provider's own page."""
    source = inspect.getsource(sys.modules[type(adapter).__module__])
    text = ast.get_docstring(ast.parse(source)) or ""
    return " ".join(text.split("\n\n")[0].split())


def _proof(adapter: Adapter[Any]) -> str:
    if type(adapter).settle is Adapter.settle:
        return "verified by itself"
    return "**fetched back** where it does not prove itself"


def _setting(name: str, note: str, required: bool) -> str:  # noqa: FBT001 - from the settings' table
    return f"| `{name.upper()}` | {'required' if required else ''} | {note} |"


def _meaning(word: str, meaning: Meaning) -> str:
    status, change = meaning.session_status, meaning.payment_event
    shown = [f"`{item}`" if item else "" for item in (status, change)]
    if status is None and change is None:
        shown[0] = "ignored"
    return f"| `{word}` | {shown[0]} | {shown[1]} |"


if __name__ == "__main__":
    sys.stdout.write(page())
