"""Connections to the store: one place that chooses the client and how patient it is."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

from redis import BlockingConnectionPool, Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from gateway.domain.errors import StoreRefused, StoreUnavailable
from gateway.store import scripts

P = ParamSpec("P")
T = TypeVar("T")

_FCALL = "FCALL"
# A provider waits for the edge: better a quick 503 (it tries again) than a thread that hangs.
EDGE_TIMEOUT = 0.8
EDGE_CONNECTIONS = 64
WORKER_TIMEOUT = 5.0
# The server does nothing else during a call: this many take it about a millisecond.
_AT_ONCE = 64


def edge_client(url: str) -> Redis:
    """For requests: gives up within a second.

    Only what was cut off is sent once more, on a new connection: after a restart of the store all
    idle connections are dead, and each would cost a provider a 503.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        # Pipelines share these in turn: they are rare at the edge.
        max_connections=EDGE_CONNECTIONS,
        timeout=EDGE_TIMEOUT,
        socket_timeout=EDGE_TIMEOUT,
        socket_connect_timeout=EDGE_TIMEOUT,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    return _PerThread(pool)


class _PerThread(Redis):
    """A client whose every thread has a connection of its own, kept open as long as it lives.

    To take one from the pool, to ask whether it still lives and to give it back are five system
    calls for each command; sending it and reading the answer are two. And what redis-py records of
    every command for OpenTelemetry takes a third of the time that it spends on one.
    """

    def __init__(self, pool: BlockingConnectionPool) -> None:
        self._own = threading.local()
        super().__init__(connection_pool=pool)

    @property
    def connection(self) -> Connection:
        """What redis-py uses in place of its pool, if it is there."""
        found: Connection | None = getattr(self._own, "connection", None)
        if found is None:
            pool = self.connection_pool
            found = self._own.connection = pool.connection_class(**pool.connection_kwargs)
        return found

    @connection.setter
    def connection(self, value: Connection | None) -> None:
        self._own.connection = value

    def execute_command(self, *args: Any, **options: Any) -> Any:
        connection = self.connection

        def run() -> Any:
            connection.send_command(*args, **options)
            if args[0] == _FCALL:
                return connection.read_response()  # redis-py has nothing to make of it
            return self.parse_response(connection, args[0], **options)  # type: ignore[no-untyped-call]

        try:
            return connection.retry.call_with_retry(run, lambda _: connection.disconnect())
        except RedisError:
            raise
        except BaseException:
            # A job's time is up, say: nobody else may take the answer that is still to come.
            connection.disconnect()
            raise


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
    return guarded(_with_library, client, _call, client, function, keys, args)


def call_many(client: Redis, calls: Sequence[Call]) -> list[Any]:
    """Many atomic steps in one round trip; each is atomic, not all of them together."""
    return guarded(_with_library, client, _call_many, client, calls) if calls else []


def batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts for one call each: enough to save calls, too few to keep others waiting for long."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _call(client: Redis, function: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    # Not `fcall`: all that it adds is two more calls on the way of every webhook.
    return client.execute_command(_FCALL, scripts.name(function), len(keys), *keys, *args)


def _call_many(client: Redis, calls: Sequence[Call]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for function, keys, args in calls:
        pipeline.execute_command(_FCALL, scripts.name(function), len(keys), *keys, *args)
    return _replies(pipeline)


def _with_library(client: Redis, run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Brings the function library to a server that does not know it yet."""
    try:
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
