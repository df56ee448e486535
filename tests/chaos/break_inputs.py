"""Clocks that are off, and deliveries that nobody can work on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from processes import Gateway, Role, eventually
from scene import HERE, Row, Scale, Scene, fault, scene
from stream import Webhook

from gateway.store.delivery_lists import DeliveryLists
from gateway.store.inbox import Inbox
from gateway.store.keys import DeliveryState


@fault("clock 10 min off, and going backwards")
def clock_off(scale: Scale) -> Row:
    with TemporaryDirectory(prefix="pwg-") as other:
        skew = Path(other, "skew")
        skew.write_text("0")
        amiss = {"CHAOS_SKEW_FILE": str(skew), "PYTHONPATH": str(HERE)}
        with scene(scale, altered={"web": amiss, "worker": amiss}) as it:
            with it.traffic:
                for number in range(scale.rounds):
                    it.calm()
                    _write(skew, str((600, -600)[number % 2]))
                    time.sleep(1.5)
                    warned = requests.get(f"{it.gateway.url}/ready", timeout=5).json()["warnings"]
                    assert any("clock" in warning for warning in warned), warned
                    it.calm()
                    _write(skew, "0")
            it.settle()
            return it.row()


def _write(file: Path, text: str) -> None:
    """In one step: somebody may be reading."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def _poisoned(scale: Scale, how: str) -> Row:
    with _amiss(scale, CHAOS_POISON=how) as it:
        poison = Webhook.refund("stripe", it.traffic.sessions[0][1], "poison")
        with _restarting(it.gateway.roles["worker"]):
            return _given_up(it, poison)


@fault("a delivery that crashes the worker")
def crashing(scale: Scale) -> Row:
    return _poisoned(scale, "crash")


@fault("a delivery whose reading fails")
def failing(scale: Scale) -> Row:
    return _poisoned(scale, "raise")


@fault("a session whose commit always fails")
def stuck(scale: Scale) -> Row:
    with _amiss(scale, CHAOS_STUCK="ps_stuck") as it:
        it.gateway.create("ps_stuck")
        return _given_up(it, Webhook.refund("stripe", "ps_stuck", 0))


@contextmanager
def _amiss(scale: Scale, **what: str) -> Iterator[Scene]:
    """A gateway whose worker has something amiss."""
    amiss = {"CHAOS_OVERDUE": scale.overdue, "PYTHONPATH": str(HERE), **what}
    with scene(scale, altered={"worker": amiss}) as it:
        yield it


def _given_up(it: Scene, webhook: Webhook) -> Row:
    """What comes of a webhook that nobody can work on, among others."""
    with it.traffic:
        it.calm()
        assert 200 == it.gateway.post(webhook.delivery)
        it.calm()
        began = time.monotonic()
        state = _dead(it.gateway, 120)
        it.seen.append(f"dead after {time.monotonic() - began:.0f} s: {state}")
    it.settle()
    return it.row()


def _dead(gateway: Gateway, seconds: float) -> str:
    """What is noted on the one dead letter, once there is one."""
    with gateway.client() as client:
        inbox, lists = Inbox(client, 1), DeliveryLists(client, 1)
        eventually(lambda: lists.listed(DeliveryState.DEAD, 1), "it is given up", seconds)
        (found,) = inbox.load(lists.listed(DeliveryState.DEAD, 2))
        return found.notes[0]


@contextmanager
def _restarting(role: Role) -> Iterator[None]:
    """Restarts a role whenever it has ended, as a platform's supervisor does."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            if role.process.poll() is not None:
                role.start()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
