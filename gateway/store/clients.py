"""The clients of the store and of the queue: the one place that chooses them.

How patient they are depends on who waits; how the servers stand together, on the URL. Replicas are
never read: a decision on what was true a moment ago would be a wrong one.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any, cast

from redis import BlockingConnectionPool, ConnectionPool, Redis, RedisCluster
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import PubSub
from redis.cluster import ClusterNode
from redis.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from gateway.domain.errors import StoreUnavailable
from gateway.store.addresses import Address, Kind, parse

FCALL = "FCALL"
# A provider waits for the edge: better a quick 503 (it tries again) than a thread that hangs.
EDGE_TIMEOUT = 0.8
EDGE_CONNECTIONS = 64
WORKER_TIMEOUT = 5.0
# Sentinels are asked one after the other, and one of them may be gone.
_SENTINEL_TIMEOUT = 0.3
_KEYS_AT = 3


def edge_client(url: str) -> Redis:
    """For requests: gives up within a second.

    Only what was cut off is sent once more, on a new connection: after a restart of the store all
    idle connections are dead, and each would cost a provider a 503.
    """
    options = _patience(EDGE_TIMEOUT, Retry(NoBackoff(), 1, (RedisConnectionError,)))
    address = parse(url)
    if address.kind is Kind.CLUSTER:
        return _cluster(address, options)
    if address.kind is Kind.SENTINEL:
        return _PerThread(_watched_pool(address, options))
    # Pipelines share these in turn: they are rare at the edge.
    shared = {"max_connections": EDGE_CONNECTIONS, "timeout": EDGE_TIMEOUT}
    return _PerThread(BlockingConnectionPool(**{**shared, **options, **address.options}))


def worker_client(url: str) -> Redis:
    """For jobs: patient. It may repeat a command, which is why every write is idempotent."""
    return _client(
        url, _patience(WORKER_TIMEOUT, Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 6))
    )


def listening_client(url: str) -> Redis:
    """For a subscription: waits for long, but probes a connection that has fallen silent."""
    options = _patience(WORKER_TIMEOUT, Retry(NoBackoff(), 0))
    return _client(url, {**options, "health_check_interval": 5})


def queue_client(url: str) -> Redis:
    """For RQ's workers, which change their pool's timeouts: never share it with other code."""
    return _client(url, {})


def primaries(client: Redis) -> list[Redis]:
    """A client of each server that takes writes, as the cluster says now."""
    if not isinstance(client, _Cluster):
        return [client]
    client.nodes_manager.initialize()
    return [client.get_redis_connection(node) for node in client.get_primaries()]


def primary_of(client: Redis, key: str) -> Redis:
    """A client of the server that holds a key, as far as is known."""
    if not isinstance(client, _Cluster):
        return client
    return client.get_redis_connection(client.get_node_from_key(key))


def forget_places(client: Redis) -> None:
    """Has a cluster be asked anew which of its nodes hold what."""
    if isinstance(client, _Cluster):
        client.nodes_manager.initialize()


def _client(url: str, options: Mapping[str, Any]) -> Redis:
    address = parse(url)
    match address.kind:
        case Kind.CLUSTER:
            return _cluster(address, options)
        case Kind.SENTINEL:
            return Redis.from_pool(_watched_pool(address, options))
        case Kind.ONE:
            return Redis.from_pool(ConnectionPool(**{**options, **address.options}))


def _patience(timeout: float, retry: Retry) -> dict[str, Any]:
    return {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": retry}


def _watched_pool(address: Address, options: Mapping[str, Any]) -> SentinelConnectionPool:
    timeouts = {"socket_timeout": _SENTINEL_TIMEOUT, "socket_connect_timeout": _SENTINEL_TIMEOUT}
    sentinel = Sentinel(address.hosts, sentinel_kwargs=timeouts)
    own = {**options, **address.options}
    with_tls = own.pop("connection_class", None) is SSLConnection
    own["connection_class"] = _WatchedSSLConnection if with_tls else _WatchedConnection
    return SentinelConnectionPool(address.service, sentinel, **own)


def _cluster(address: Address, options: Mapping[str, Any]) -> Redis:
    """Raises StoreUnavailable: redis-py asks the cluster at once what its nodes hold."""
    nodes = [ClusterNode(host, port) for host, port in address.hosts]
    own = {**options, **address.options}
    own["ssl"] = own.pop("connection_class", None) is SSLConnection
    try:
        made = _Cluster(startup_nodes=nodes, require_full_coverage=False, **own)
    except (RedisError, RedisClusterException, OSError) as error:
        raise StoreUnavailable(
            f"The cluster cannot be reached ({type(error).__name__}); check GATEWAY_STORE_URL and "
            "that its nodes run."
        ) from error
    # It has what a client of one server has, as far as the store uses it.
    return cast("Redis", made)


class _Watched:
    """A connection to the primary that the sentinels name.

    Where it was cut off, redis-py would connect past the sentinels when it sends the next command;
    and it leaves one open whose answer does not come in time: the next command would get that.
    """

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        self.connect()  # type: ignore[attr-defined]  # a mixin
        super().send_packed_command(*args, **options)  # type: ignore[misc]

    def read_response(self, *args: Any, **options: Any) -> Any:
        options = {"disconnect_on_error": True, **options}
        return super().read_response(*args, **options)  # type: ignore[misc]  # a mixin


class _WatchedConnection(_Watched, SentinelManagedConnection):
    pass


class _WatchedSSLConnection(_Watched, SentinelManagedSSLConnection):
    pass


class _Cluster(RedisCluster):
    """A cluster's client that knows where our calls' keys stand, and need not ask for it."""

    def _get_command_keys(self, *args: Any) -> Any:
        return _keys_of(args) or super()._get_command_keys(*args)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> Any:
        made: Any = super().pipeline(transaction, shard_hint)  # type: ignore[no-untyped-call]
        made._get_command_keys = self._get_command_keys  # noqa: SLF001 - it has no other way
        return made

    def pubsub(self, *args: Any, **options: Any) -> PubSub:
        # Made anew when a connection was lost: the node that it led to may be gone.
        self.nodes_manager.initialize()
        made: PubSub = super().pubsub(*args, **options)  # type: ignore[no-untyped-call]
        return made


def _keys_of(command: tuple[Any, ...]) -> Iterable[Any]:
    if command[0] != FCALL:
        return ()
    return command[_KEYS_AT : _KEYS_AT + int(command[2])]


class _PerThread(Redis):
    """A client whose every thread has a connection of its own, kept open as long as it lives.

    To take one from the pool, to ask whether it still lives and to give it back are five system
    calls for each command; sending it and reading the answer are two. And what redis-py records of
    every command for OpenTelemetry takes a third of the time that it spends on one.
    """

    def __init__(self, pool: ConnectionPool) -> None:
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
            if args[0] == FCALL:
                return connection.read_response()  # redis-py has nothing to make of it
            return self.parse_response(connection, args[0], **options)  # type: ignore[no-untyped-call]

        try:
            return connection.retry.call_with_retry(run, lambda _: connection.disconnect())
        except ResponseError:
            raise
        except BaseException:
            # A job's time is up, say: nobody else may take the answer that is still to come.
            connection.disconnect()
            raise
