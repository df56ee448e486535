"""`gateway sessions`: find sessions, ask why they are as they are, and act on single ones."""

import dataclasses
from datetime import datetime
from typing import Any

import click

from gateway.cli import operating
from gateway.cli.operating import as_json, say
from gateway.cli.timeline import timeline
from gateway.domain.actions import accept, refuse
from gateway.domain.events import SessionStatus
from gateway.domain.money import major_units
from gateway.domain.sessions import PaymentSession
from jobs.erase import erase_session
from jobs.quarantine import Answer, Claimed, give_answer


@click.group(name="sessions")
def command() -> None:
    """Look at sessions in the store that GATEWAY_STORE_URL names, and act on them."""


@command.command(name="list")
@click.option("--status", type=click.Choice([status.value for status in SessionStatus]))
@click.option("--provider", "provider_id", help="Of this provider instance.")
@click.option("--since", callback=operating.time, help="That changed since this time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@as_json
def list_(
    *,
    status: str | None,
    provider_id: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List sessions, the longest unchanged first."""
    statuses = [SessionStatus(status)] if status else list(SessionStatus)
    with operating.runtime() as runtime:
        providers = [provider_id] if provider_id else sorted(runtime.instances)
        places = runtime.listings.page(providers, statuses, since, None, limit)
        for found in runtime.sessions.get_many([place.session_id for place in places]):
            if found is not None:
                _line(found, as_json=as_json)


@command.command()
@click.argument("session_id")
@as_json
def show(session_id: str, *, as_json: bool) -> None:
    """Show a session and its history: what came, what it did, or why it did nothing."""
    with operating.runtime() as runtime:
        found, history = runtime.sessions.get(session_id), runtime.sessions.history(session_id)
    if as_json:
        decisions = [dataclasses.asdict(one) for one in history]
        say(as_json, "", **_facts(found), decisions=decisions)
        return
    for line in timeline(found, history):
        click.echo(line)


def _line(found: PaymentSession, *, as_json: bool) -> None:
    changed = found.updated_at.isoformat(timespec="seconds")
    money = f"{major_units(found.amount, found.currency_code)} {found.currency_code}"
    line = f"{found.id}  {found.provider_id}  {money}  {found.status}  {changed}"
    say(as_json, line, **_facts(found))


def _facts(found: PaymentSession) -> dict[str, Any]:
    return dataclasses.asdict(found) | {"status": found.status}


def _answer(name: str, answer: Answer, told: str) -> None:
    """A command that answers for a claim in quarantine."""

    @command.command(name=name, help=told)
    @click.argument("session_id")
    @click.argument("event_id")
    @click.option("--source", help="Who told the event; else the session's provider.")
    @click.option("--note", required=True, help="Why; the history keeps it.")
    @as_json
    def given(
        session_id: str, event_id: str, *, source: str | None, note: str, as_json: bool
    ) -> None:
        with operating.runtime() as runtime:
            teller = source or runtime.sessions.get(session_id).provider_id
            claim = Claimed(session_id, teller, event_id)
            _line(give_answer(runtime, claim, answer, note, operating.operator()), as_json=as_json)


_answer("accept", accept, "Let a claim in quarantine authorize its session.")
_answer("refuse", refuse, "Leave a claim in quarantine without effect.")


@command.command()
@click.argument("session_id")
@click.confirmation_option(prompt="This cannot be undone. Erase it?")
@as_json
def erase(session_id: str, *, as_json: bool) -> None:
    """Remove a person's data from a session: its cart, its data, and the bodies of its webhooks."""
    with operating.runtime() as runtime:
        bodies = erase_session(runtime, session_id, operating.operator())
        say(as_json, f"Erased, with {bodies} bodies.", session_id=session_id, bodies=bodies)
