"""`gateway rejections`: requests that were refused, why, and verifying them again."""

import json
from typing import Any

import click

from gateway.cli import operating
from gateway.cli.operating import as_json, say
from gateway.store.journal import Rejection
from jobs.reverify import reverify as verify_again


@click.group(name="rejections")
def command() -> None:
    """Look at refused requests and their diagnosis; verify them again."""


@command.command(name="list")
@click.argument("provider")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@as_json
def list_(provider: str, limit: int, *, as_json: bool) -> None:
    """List the refused requests of a PROVIDER instance, newest first."""
    with operating.runtime() as runtime:
        for one in runtime.journal.latest(provider, limit):
            say(as_json, _line(one), **_facts(one))


@command.command()
@click.argument("provider")
@click.argument("entry_id")
@as_json
def diagnose(provider: str, entry_id: str, *, as_json: bool) -> None:
    """Show a refused request, and what speaks for its refusal."""
    with operating.runtime() as runtime:
        one = runtime.journal.get(provider, entry_id)
        headers = [list(pair) for pair in one.delivery.headers]
        body = one.delivery.body.decode("utf-8", "backslashreplace")
        if as_json:
            say(as_json, "", **_facts(one), headers=headers, body=body)
            return
        click.echo(f"{_line(one)}\n")
        for name, value in headers:
            click.echo(f"{name}: {value}")
        click.echo(f"\n{body}\n")
        click.echo(json.dumps(_facts(one)["diagnosis"], indent=2))


@command.command()
@click.argument("provider")
@click.argument("entry_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are in the journal.")
@as_json
def reverify(provider: str, entry_ids: tuple[str, ...], *, everything: bool, as_json: bool) -> None:
    """Verify refused requests again, by today's secrets; what is genuine is applied."""
    if bool(entry_ids) == everything:
        raise click.UsageError("Name requests, or say --all.")
    with operating.runtime() as runtime:
        if everything:
            wanted = runtime.journal.latest(provider, 1000)
        else:
            wanted = [runtime.journal.get(provider, entry_id) for entry_id in entry_ids]
        for one in wanted:
            done = verify_again(runtime, one)
            became = f"kept as {done.delivery_id}" if done.delivery_id else "still refused"
            line = f"{one.id}  {became}{f': {done.why}' if done.why else ''}"
            say(as_json, line, id=one.id, delivery_id=done.delivery_id, why=done.why)


def _line(one: Rejection) -> str:
    at = one.delivery.received_at.isoformat(timespec="seconds")
    advice = f"  {one.diagnosis.advice}" if one.diagnosis else ""
    over = f"  ({one.passed_over} more before it)" if one.passed_over else ""
    return f"{one.id}  {at}  {one.cause}  {one.detail}{over}{advice}"


def _facts(one: Rejection) -> dict[str, Any]:
    return {
        "id": one.id,
        "provider_id": one.delivery.provider_id,
        "cause": one.cause.value,
        "detail": one.detail,
        "received_at": one.delivery.received_at.isoformat(),
        "remote_addr": one.delivery.remote_addr,
        "passed_over": one.passed_over,
        "delivery_id": one.kept_as,
        "diagnosis": one.diagnosis.as_json() if one.diagnosis else {},
    }
