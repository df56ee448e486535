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


def call(client: Redis, function: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    """One atomic step, in one round trip. Raises StoreUnavailable."""
    return guarded(_with_library, client, _call, client, function, keys, args)


def call_many(client: Redis, calls: Sequence[Call], replicas: int = 0) -> list[Any]:
    """Many atomic steps in one round trip; each is atomic, not all of them together.

    With `replicas`, so many of them have it all when this returns, and StoreUnavailable says that
    they may not; the steps may have been taken nevertheless.
    """
    if not calls:
        return []
    if replicas:
        return guarded(_with_library, client, _call_replicated, client, calls, replicas)
    return guarded(_with_library, client, _call_many, client, calls)


def batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts for one call each: enough to save calls, too few to keep others waiting for long."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _call(client: Redis, function: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    # Not `fcall`: all that it adds is two more calls on the way of every webhook.
    return client.execute_command(FCALL, scripts.name(function), len(keys), *keys, *args)


def _call_many(client: Redis, calls: Sequence[Call]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for function, keys, args in calls:
        pipeline.execute_command(FCALL, scripts.name(function), len(keys), *keys, *args)
    return _replies(pipeline)


def _call_replicated(client: Redis, calls: Sequence[Call], replicas: int) -> list[Any]:
    """WAIT is about what its own connection wrote: after a failover another one proves nothing."""
    together: dict[Redis, list[int]] = defaultdict(list)
    for at, (_, keys, _) in enumerate(calls):
        together[primary_of(client, keys[0])].append(at)
    replies: dict[int, Any] = {}
    for primary, places in together.items():
        pipeline = primary.pipeline(transaction=False)
        for at in places:
            function, keys, args = calls[at]
            pipeline.execute_command(FCALL, scripts.name(function), len(keys), *keys, *args)
        pipeline.execute_command("WAIT", replicas, _REPLICAS_IN)
        *answers, kept = _replies(pipeline)
        if kept < replicas:
            raise StoreUnavailable(
                f"Only {kept} of the store's replicas have a write, GATEWAY_ACK_REPLICAS asks for "
                f"{replicas}; see to the replicas, or ask for fewer."
            )
        replies |= dict(zip(places, answers, strict=True))
    return [replies[at] for at in range(len(calls))]


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
