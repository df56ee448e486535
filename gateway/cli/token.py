"""`gateway token`: API tokens for the merchant's services."""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from gateway.config import from_environment
from gateway.store.clients import edge_client
from gateway.store.tokens import Scope, Token, Tokens, digest_of

PREFIX = "pwg_"
"""Begins every secret, so that scanners for leaked secrets know one when they see it."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SPAN = re.compile(r"([1-9]\d{0,4})([hdw])", re.ASCII)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def new_secret() -> str:
    """256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def _span(_ctx: click.Context, _param: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    match = _SPAN.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a span like 12h, 90d or 52w.")
    return int(match[1]) * _UNITS[match[2]]


def _name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("use up to 64 letters, digits, dots, hyphens and underscores.")
    return value


@click.group(name="token")
def command() -> None:
    """Create, list and revoke API tokens in the store that GATEWAY_STORE_URL names."""


@command.command()
@click.argument("name", callback=_name)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it may do; give it once for each scope.",
)
@click.option(
    "--expires", callback=_span, help="How long it lives, like 90d; without it, for ever."
)
@_as_json
def create(name: str, scopes: tuple[str, ...], expires: timedelta | None, *, as_json: bool) -> None:
    """Create a token and print its secret, once."""
    now, secret = datetime.now(UTC), new_secret()
    token = Token(
        name=name,
        scopes=frozenset(map(Scope, scopes)),
        digest=digest_of(secret),
        created_at=now,
        expires_at=None if expires is None else now + expires,
    )
    with _tokens() as tokens:
        # The history of a session names tokens: two of one name could not be told apart there.
        if any(known.name == name and not known.is_expired(now) for known in tokens.all()):
            raise click.ClickException(
                f"There is a token {name} already; revoke it, or choose another name."
            )
        tokens.add(token)
    if as_json:
        click.echo(json.dumps(_plain(token) | {"secret": secret}))
        return
    click.echo("Keep this secret; it is not shown again:", err=True)
    click.echo(secret)


@command.command(name="list")
@_as_json
def list_(*, as_json: bool) -> None:
    """List the tokens; their secrets are not in the store."""
    with _tokens() as tokens:
        found = tokens.all()
    if as_json:
        click.echo(json.dumps([_plain(token) for token in found]))
        return
    now = datetime.now(UTC)
    width = max([4, *(len(token.name) for token in found)])
    click.echo(f"{'NAME':<{width}}  {'SCOPES':<18}  {'CREATED':<16}  EXPIRES")
    for token in found:
        expired = " (expired)" if token.is_expired(now) else ""
        click.echo(
            f"{token.name:<{width}}  {' '.join(sorted(token.scopes)):<18}  "
            f"{_minute(token.created_at)}  {_minute(token.expires_at)}{expired}"
        )


@command.command()
@click.argument("name")
@_as_json
def revoke(name: str, *, as_json: bool) -> None:
    """Revoke a token; web processes forget it within seconds."""
    with _tokens() as tokens:
        count = tokens.revoke(name)
    if not count:
        raise click.ClickException(f"There is no token {name}; `gateway token list` shows all.")
    click.echo(json.dumps({"name": name, "revoked": count}) if as_json else f"{name} is revoked.")


@contextmanager
def _tokens() -> Iterator[Tokens]:
    with closing(edge_client(from_environment().store_url)) as client:
        yield Tokens(client)


def _plain(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "scopes": sorted(token.scopes),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at and token.expires_at.isoformat(),
    }


def _minute(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}"
