"""A gateway that is broken under traffic, and the account of what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from processes import Gateway, eventually
from stream import SETTINGS, Traffic

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """What a fault did. `lost` and `doubled` count webhooks, `recovered` and `slowest` seconds."""

    sent: int
    acknowledged: int
    answers: dict[int, int]
    lost: int
    doubled: int
    slowest: float
    recovered: float
    seen: str = ""


@dataclass(frozen=True)
class Scale:
    """How hard: rounds of a fault, webhooks between two of them, sessions of each provider.

    Also the seconds of each freeze, how many are asked back of each API, the bytes that are left
    when the store gets full, the seconds after which a drain with a poison counts as dead, and how
    many genuine webhooks are timed under a flood.
    """

    rounds: int
    webhooks: int
    sessions: int
    freezes: tuple[float, ...]
    fetched: int
    fill: int
    overdue: str
    probes: int


SHORT = Scale(
    rounds=2,
    webhooks=40,
    sessions=2,
    freezes=(1.5,),
    fetched=1,
    fill=2**18,
    overdue="0.3",
    probes=100,
)
LONG = Scale(
    rounds=10,
    webhooks=900,
    sessions=40,
    freezes=(5, 30),
    fetched=4,
    fill=3 * 2**20,
    overdue="4",
    probes=2000,
)

Fault = Callable[[Scale], Row]
FAULTS: dict[str, Fault] = {}
"""All faults by what the report calls them; the modules `break_…` add theirs."""


def fault(name: str) -> Callable[[Fault], Fault]:
    def register(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return register


class Scene:
    """A gateway of its own under traffic, and what is seen of it in the end."""

    def __init__(self, scale: Scale, gateway: Gateway, *, fresh: bool = False) -> None:
        self.scale = scale
        self.gateway = gateway
        self.traffic = Traffic(gateway, scale.sessions, fresh=fresh)
        self.recovered = 0.0
        self.seen: list[str] = []

    def calm(self) -> None:
        """Webhooks while nothing is broken."""
        self.traffic.flow(self.scale.webhooks)

    def settle(self) -> None:
        """Waits until all is well again and worked off, and takes the time of it."""
        began = time.monotonic()
        eventually(self.gateway.is_ready, "ready again", seconds=60)
        self.traffic.wait_until_worked_off()
        self.recovered = max(self.recovered, time.monotonic() - began)

    def row(self) -> Row:
        """Accounts for every webhook by its id: first what was acknowledged, then the rest."""
        account = self.traffic.account
        applied = self.traffic.applied()
        keys = {(one.session_id, one.event_id) for one in account.acknowledged}
        lost = sum(applied[key] != 1 for key in keys)
        again = self.traffic.send_again()
        assert again == len(account.unanswered), "what is sent again must be acknowledged"
        self.traffic.wait_until_worked_off()
        all_keys = keys | {(one.session_id, one.event_id) for one in account.unanswered}
        applied = self.traffic.applied()
        lost += sum(applied[key] != 1 for key in all_keys - keys)
        doubled = self.traffic.refunded() - len(all_keys)
        return Row(
            sent=account.sent,
            acknowledged=len(account.acknowledged),
            answers=dict(sorted(account.answers.items())),
            lost=lost,
            doubled=doubled,
            slowest=account.slowest_refusal,
            recovered=self.recovered,
            seen="; ".join(self.seen),
        )


@contextmanager
def scene(
    scale: Scale, *, fresh: bool = False, settings: dict[str, str] = SETTINGS, **options
) -> Iterator[Scene]:
    with TemporaryDirectory(prefix="pwg-") as folder:
        gateway = Gateway(Path(folder), settings, **options)
        with started(scale, gateway, fresh=fresh) as made:
            yield made


@contextmanager
def started(scale: Scale, gateway: Gateway, *, fresh: bool = False) -> Iterator[Scene]:
    """Of a gateway that is made already, and stopped in the end."""
    try:
        gateway.start()
        made = Scene(scale, gateway, fresh=fresh)
        made.traffic.prepare()
        yield made
    finally:
        gateway.stop()
