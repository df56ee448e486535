"""Connections to the store: one place that chooses the client and how patient it is."""

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from redis import BlockingConnectionPool, Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from gateway.domain.errors import StoreRefused, StoreUnavailable
from gateway.store import scripts

P = ParamSpec("P")
T = TypeVar("T")

# A provider waits for the edge: better a quick 503 (it tries again) than a thread that hangs.
EDGE_TIMEOUT = 0.8
EDGE_CONNECTIONS = 64
WORKER_TIMEOUT = 5.0


def edge_client(url: str) -> Redis:
    """For requests: gives up within a second.

    Only what was cut off is sent once more, on a new connection: after a restart of the store all
    idle connections are dead, and each would cost a provider a 503.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        # A burst of requests shares these in turn; one connection each would be refused.
        max_connections=EDGE_CONNECTIONS,
        timeout=EDGE_TIMEOUT,
        socket_timeout=EDGE_TIMEOUT,
        socket_connect_timeout=EDGE_TIMEOUT,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    return Redis.from_pool(pool)


def worker_client(url: str) -> Redis:
    """For jobs: patient. It may repeat a command, which is why every write is idempotent."""
    return Redis.from_url(
        url,
        socket_timeout=WORKER_TIMEOUT,
        socket_connect_timeout=WORKER_TIMEOUT,
        retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 6),
    )


def listening_client(url: str) -> Redis:
    """For a subscription: waits for long, but probes a connection that has fallen silent."""
    return Redis.from_url(
        url,
        socket_timeout=WORKER_TIMEOUT,
        socket_connect_timeout=WORKER_TIMEOUT,
        health_check_interval=5,
        retry=Retry(NoBackoff(), 0),
    )


def queue_client(url: str) -> Redis:
    """For RQ's workers, which change their pool's timeouts: never share it with other code."""
    return Redis.from_url(url)


Call = tuple[str, Sequence[str], Sequence[Any]]
"""A function of the library, its keys and its arguments."""


def call(client: Redis, function: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    """One atomic step, in one round trip. Raises StoreUnavailable."""
    return call_many(client, [(function, keys, args)])[0]


def call_many(client: Redis, calls: Sequence[Call]) -> list[Any]:
    """Many atomic steps in one round trip; each is atomic, not all of them together."""

    def run() -> list[Any]:
        if len(calls) == 1:
            function, keys, args = calls[0]
            return [client.fcall(scripts.name(function), len(keys), *keys, *args)]
        pipeline = client.pipeline(transaction=False)
        for function, keys, args in calls:
            pipeline.fcall(scripts.name(function), len(keys), *keys, *args)
        return _replies(pipeline)

    def run_with_library() -> list[Any]:
        try:
            return run()
        except ResponseError as error:
            if not scripts.is_missing(error):
                raise
            scripts.load(client)
            return run()

    return guarded(run_with_library) if calls else []


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
    except (RedisConnectionError, RedisTimeoutError, OSError) as error:
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
