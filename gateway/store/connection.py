"""Calls to the store: atomic steps of its function library, alone or many in one round trip."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import AskError, RedisClusterException, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.domain.errors import StoreRefused, StoreUnavailable
from gateway.store import scripts
from gateway.store.clients import FCALL, forget_places, primary_of

P = ParamSpec("P")
T = TypeVar("T")

# The server does nothing else during a call: this many take it about a millisecond.
_AT_ONCE = 64
# Milliseconds for which replicas are waited for: less than a request waits for the store.
_REPLICAS_IN = 500

Call = tuple[str, Sequence[str], Sequence[Any]]
"""A function of the library, its keys and its arguments."""
Command = tuple[Any, ...]
"""Its name and its arguments."""


def call(client: Redis, function: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    """One atomic step, in one round trip. Raises StoreUnavailable."""
    return guarded(_with_library, client, _call, client, function, keys, args)


def call_many(client: Redis, calls: Sequence[Call], replicas: int = 0) -> list[Any]:
    """Many atomic steps in one round trip; each is atomic, not all of them together.

    With `replicas`, so many of them have it all when this returns, and StoreUnavailable says that
    they may not; the steps may have been taken nevertheless.
    """
    commands = [_command(function, keys, args) for function, keys, args in calls]
    places = [keys[0] for _, keys, _ in calls]
    return _send(client, list(zip(places, commands, strict=True)), replicas)


def write_many(client: Redis, commands: Sequence[Command], replicas: int = 0) -> list[Any]:
    """The same for plain commands, each about the key that is its first argument."""
    return _send(client, [(command[1], command) for command in commands], replicas)


def batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts for one call each: enough to save calls, too few to keep others waiting for long."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _command(function: str, keys: Sequence[str], args: Sequence[Any]) -> Command:
    # Not `fcall`: all that it adds is two more calls on the way of every webhook.
    return FCALL, scripts.name(function), len(keys), *keys, *args


def _call(client: Redis, function: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    return client.execute_command(*_command(function, keys, args))


def _send(client: Redis, placed: Sequence[tuple[str, Command]], replicas: int) -> list[Any]:
    if not placed:
        return []
    if replicas:
        return guarded(_with_library, client, _send_replicated, client, placed, replicas)
    return guarded(_with_library, client, _send_all, client, placed)


def _send_all(client: Redis, placed: Sequence[tuple[str, Command]]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for _, command in placed:
        pipeline.execute_command(*command)
    return _replies(pipeline)


def _send_replicated(
    client: Redis, placed: Sequence[tuple[str, Command]], replicas: int
) -> list[Any]:
    """WAIT is about what its own connection wrote: after a failover another one proves nothing."""
    together: dict[Redis, list[int]] = defaultdict(list)
    for at, (key, _) in enumerate(placed):
        together[primary_of(client, key)].append(at)
    replies: dict[int, Any] = {}
    for primary, places in together.items():
        pipeline = primary.pipeline(transaction=False)
        for at in places:
            pipeline.execute_command(*placed[at][1])
        pipeline.execute_command("WAIT", replicas, _REPLICAS_IN)
        *answers, kept = _replies(pipeline)
        if kept < replicas:
            forget_places(client)
            raise StoreUnavailable(
                f"Only {kept} of the store's replicas have a write, GATEWAY_ACK_REPLICAS asks for "
                f"{replicas}; see to the replicas, or ask for fewer."
            )
        replies |= dict(zip(places, answers, strict=True))
    return [replies[at] for at in range(len(placed))]


def _with_library(client: Redis, run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Brings the function library to a server that does not know it yet."""
    try:
        return run(*args, **kwargs)
    except AskError:
        # A slot is on its way to another node, or has arrived there.
        forget_places(client)
        return run(*args, **kwargs)
    except ResponseError as error:
        if not scripts.is_missing(error):
            raise
        scripts.load(client)
        return run(*args, **kwargs)


def executed(pipeline: Pipeline) -> list[Any]:
    """The replies to all commands of a pipeline, in one round trip. Raises StoreUnavailable."""
    return guarded(_replies, pipeline)


def _replies(pipeline: Pipeline) -> list[Any]:
    # Raised by redis-py, an error would quote its command with all arguments.
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies


def guarded(run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the call returns; a store that cannot be reached, or refuses, is StoreUnavailable."""
    try:
        return run(*args, **kwargs)
    except (RedisConnectionError, RedisTimeoutError, RedisClusterException, OSError) as error:
        raise StoreUnavailable(
            f"The store cannot be reached ({type(error).__name__}); check GATEWAY_STORE_URL and "
            "that the server runs."
        ) from error
    except RedisError as error:
        # The first word is the error's code; what follows may quote the command's arguments.
        code = str(error).partition(" ")[0]
        if code == "WRONGTYPE":
            raise StoreRefused(
                "The store has something else where a record should be (WRONGTYPE); does another "
                "application use the same database?"
            ) from error
        raise StoreUnavailable(
            f"The store refused a command ({code if code.isupper() else 'ERR'}); the server's log "
            "and /ready say why."
        ) from error
