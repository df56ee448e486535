"""Starts a role with something amiss: `python altered.py ROLE`, what is amiss in the environment.

CHAOS_SKEW_FILE: a file with the seconds by which this machine's clock is ahead; read at each look,
so that time can also go backwards. CHAOS_POISON=crash or raise: reading a body of Stripe's with the
word `poison` in it ends the process, or fails. CHAOS_STUCK: commits of the session of this id never
succeed. CHAOS_OVERDUE: seconds after which a drain counts as dead, to be quicker in a short test.
"""

import os
import runpy
import sys
from datetime import datetime, timedelta
from pathlib import Path

from gateway.store.sessions import Sessions
from jobs import drain, runtime
from providers import registry


def _skew(file: Path) -> None:
    true_now = runtime.now

    def now() -> datetime:
        return true_now() + timedelta(seconds=float(file.read_text()))

    runtime.now = now


def _poison(how: str) -> None:
    adapter = type(registry.adapter("stripe"))
    read = adapter.read

    def poisoned(self, delivery, config):
        if b"poison" in delivery.body:
            if how == "crash":
                os._exit(9)
            raise ZeroDivisionError("division by poison")
        return read(self, delivery, config)

    adapter.read = poisoned


def _stick(session_id: str) -> None:
    commit = Sessions.commit

    def stuck(self, commits):
        usual = [
            one for one in commits if one.before is None or one.before.session.id != session_id
        ]
        done = iter(commit(self, usual))
        return [next(done) if one in usual else False for one in commits]

    Sessions.commit = stuck


if "CHAOS_SKEW_FILE" in os.environ:
    _skew(Path(os.environ["CHAOS_SKEW_FILE"]))
if "CHAOS_POISON" in os.environ:
    _poison(os.environ["CHAOS_POISON"])
if "CHAOS_STUCK" in os.environ:
    _stick(os.environ["CHAOS_STUCK"])

if "CHAOS_OVERDUE" in os.environ:
    drain.OVERDUE = timedelta(seconds=float(os.environ["CHAOS_OVERDUE"]))
    # A drain looks for what dead ones left when it begins.
    drain.Drain.run.__defaults__ = (drain.OVERDUE, drain.OVERDUE / 2)

if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
