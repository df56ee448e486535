"""Processes that die, or make way for another one, between any two commands to the store.

What a process sees of a reply does not matter once it is dead, so each of its possible deaths is
told by how many commands the store has executed for it. A function of the library is one command,
and so is a transaction; of a pipeline any part may have been executed.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import fakeredis
from greenlet import getcurrent, greenlet
from redis import Redis
from redis.client import Pipeline

Step = Callable[[], None]


class Died(BaseException):
    """Nobody catches it: the process is gone."""


def dies_after(commands: float) -> Step:
    """A life of so many commands."""
    left = [commands]

    def step() -> None:
        if left[0] <= 0:
            raise Died
        left[0] -= 1

    return step


def immortal() -> None:
    """A life without an end."""


class Turns:
    """Two processes of which one works at a time, for so many commands; at last to the end."""

    def __init__(self, *quotas: int) -> None:
        self._quotas: list[float] = list(quotas)
        self._left = 0.0
        self._hub = getcurrent()

    def step(self) -> None:
        while self._left <= 0:
            self._hub.switch()
        self._left -= 1

    def run(self, *works: Callable[[], object]) -> None:
        processes, turn = [greenlet(work) for work in works], 0
        while not all(process.dead for process in processes):
            if processes[turn].dead:
                turn = 1 - turn
                continue
            self._left = self._quotas.pop(0) if self._quotas else math.inf
            processes[turn].switch()
            turn = 1 - turn


class Client(fakeredis.FakeRedis):
    """A process's connection; `step` is called before the store executes a command."""

    def __init__(self, server: fakeredis.FakeServer, step: Step = immortal) -> None:
        self.step = step
        super().__init__(server=server)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.step()
        return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:  # noqa: FBT001, FBT002 - redis-py's
        return _Pipeline(self, transaction)


class _Pipeline(Pipeline):
    def __init__(self, client: Client, transaction: bool) -> None:  # noqa: FBT001 - redis-py's
        self._client = client
        super().__init__(
            client.connection_pool, client.response_callbacks, transaction, shard_hint=None
        )

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - redis-py's
        if self.is_transaction:
            self._client.step()
            return super().execute(raise_on_error)
        commands: Sequence[Any] = list(self.command_stack)
        self.reset()
        replies = []
        for args, options in commands:
            self._client.step()
            try:
                replies.append(Redis.execute_command(self._client, *args, **options))
            except Exception as error:  # noqa: BLE001 - as a pipeline tells them
                replies.append(error)
        return replies

    @property
    def is_transaction(self) -> bool:
        return bool(self.transaction or self.explicit_transaction)
