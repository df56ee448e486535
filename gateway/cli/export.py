"""`gateway export`: deliveries, or sessions with their histories, as JSON lines."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any, Self, TextIO

import click

from gateway.cli import operating
from gateway.cli.deliveries import STATES, filters, selection
from gateway.cli.operating import delivery_facts
from gateway.domain.events import SessionStatus
from gateway.store.deliveries import Spot, StoredDelivery
from gateway.store.listings import Place
from jobs import replay as replaying
from jobs.runtime import Runtime

_PAGE = 200
_output = click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file; if it is there already, go on where it ends.",
)

Line = dict[str, Any]


@click.group(name="export")
def command() -> None:
    """Write what the store holds as JSON lines; each has a `cursor` after which to go on."""


@command.command()
@click.option("--state", type=click.Choice(STATES), default="applied", show_default=True)
@filters
@_output
def deliveries(state: str, output: Path | None, **chosen: Any) -> None:
    """Export deliveries of a state with headers and bodies, newest first."""
    with operating.runtime() as runtime, _Target(output) as target:
        after = Spot.of(target.cursor) if target.cursor else None
        wanted = selection(state, **chosen)
        while True:
            page = replaying.find(runtime, wanted, _PAGE, after)
            target.write(map(_delivery, page.deliveries))
            if (after := page.last) is None:
                return


@command.command()
@_output
def history(output: Path | None) -> None:
    """Export sessions with their histories, the longest unchanged first."""
    with operating.runtime() as runtime, _Target(output) as target:
        after = Place.of(target.cursor) if target.cursor else None
        while True:
            places = runtime.listings.page(
                sorted(runtime.instances), list(SessionStatus), None, after, _PAGE
            )
            target.write(_histories(runtime, places))
            if len(places) < _PAGE:
                return
            after = places[-1]


def _delivery(stored: StoredDelivery) -> Line:
    return {
        **delivery_facts(stored),
        "headers": [list(pair) for pair in stored.delivery.headers],
        "body": stored.delivery.body.decode("utf-8", "backslashreplace"),
        "cursor": Spot(int(stored.listed_at.timestamp() * 1000), stored.id).cursor,
    }


def _histories(runtime: Runtime, places: list[Place]) -> Iterator[Line]:
    sessions = runtime.sessions.get_many([place.session_id for place in places])
    for place, session in zip(places, sessions, strict=True):
        if session is not None:
            decisions = runtime.sessions.history(session.id)
            yield {
                "session": dataclasses.asdict(session) | {"status": session.status},
                "decisions": [dataclasses.asdict(one) for one in decisions],
                "cursor": place.cursor,
            }


class _Target:
    """Where lines go to, and the cursor of the last whole line that is there already."""

    def __init__(self, output: Path | None) -> None:
        self._output = output
        self._resources = ExitStack()
        self._file: TextIO = sys.stdout
        self._told: Callable[[int], None] = lambda _: None
        self.cursor: str | None = None

    def __enter__(self) -> Self:
        if self._output is not None:
            self._file = self._resources.enter_context(self._output.open("a+", encoding="utf-8"))
            self._go_on()
            bar = click.progressbar(count(), label="Exporting", show_pos=True, file=sys.stderr)
            self._told = self._resources.enter_context(bar).update
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._resources.close()

    def _go_on(self) -> None:
        """Finds the end of what is whole: a line may have been cut off in its middle."""
        self._file.seek(0)
        end = 0
        while (line := self._file.readline()).endswith("\n"):
            self.cursor, end = json.loads(line)["cursor"], self._file.tell()
        self._file.truncate(end)

    def write(self, lines: Iterator[Line]) -> None:
        for line in lines:
            self._file.write(f"{json.dumps(line, default=_plain)}\n")
            self._told(1)
        self._file.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else str(value)
