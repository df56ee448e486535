"""The clients of the store and of the queue: the one place that chooses them.

How patient they are depends on who waits; how the servers stand together, on the URL. Replicas are
never read: a decision on what was true a moment ago would be a wrong one.
"""

import threading
from collections.abc import Iterable, Mapping
from copy import copy
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
    MasterNotFoundError,
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
# A host that is gone refuses nothing; one that is there accepts at once, however busy its server.
_CONNECT_TIMEOUT = 1.0
_KEYS_AT = 3
_NO_REPLICAS = "NOREPLICAS"


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
    retry = Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 6)
    return _client(url, _patience(WORKER_TIMEOUT, retry))


def listening_client(url: str) -> Redis:
    """For a subscription: waits for long, but probes a connection that has fallen silent."""
    options = _patience(WORKER_TIMEOUT, Retry(NoBackoff(), 0))
    return _client(url, {**options, "health_check_interval": 5})


def queue_client(url: str) -> Redis:
    """For RQ's workers, which change their pool's timeouts: never share it with other code."""
    return worker_client(url)


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
    """Has a cluster be asked anew which of its nodes hold what, and sentinels who is primary.

    What a server refuses, another one may take by now that has its place.
    """
    if isinstance(client, _Cluster):
        client.nodes_manager.initialize()
    elif isinstance(client.connection_pool, SentinelConnectionPool):
        client.connection_pool.get_master_address()


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
    connecting = min(timeout / 2, _CONNECT_TIMEOUT)
    return {"socket_timeout": timeout, "socket_connect_timeout": connecting, "retry": retry}


def _watched_pool(address: Address, options: Mapping[str, Any]) -> SentinelConnectionPool:
    # Without a second try, before which redis-py would wait: the next sentinel is asked at once.
    patience = _patience(_SENTINEL_TIMEOUT, Retry(NoBackoff(), 0))
    sentinel = _Sentinels(address.hosts, sentinel_kwargs=patience)  # type: ignore[no-untyped-call]
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


class _Sentinels(Sentinel):
    """Sentinels that many threads ask at once, some of which may be cut off from the others."""

    def discover_master(self, service_name: str) -> Any:
        """What the first one says that reaches a majority of them; else, the first that answers.

        A sentinel that is cut off together with the old primary goes on to name that one.
        """
        alone = None
        # Not in place, as redis-py does it: of two threads at once, one might lose a sentinel.
        for sentinel in tuple(self.sentinels):
            asked = copy(self)
            asked.sentinels = [sentinel]
            try:
                found = super(_Sentinels, asked).discover_master(service_name)  # type: ignore[no-untyped-call]
            except MasterNotFoundError:
                continue
            if _reaches_majority(sentinel, service_name):
                others = [one for one in self.sentinels if one is not sentinel]
                self.sentinels = [sentinel, *others]
                return found
            alone = alone or found
        if alone is None:
            raise MasterNotFoundError(f"No sentinel knows of a primary of {service_name!r}.")
        return alone


def _reaches_majority(sentinel: Redis, service_name: str) -> bool:
    try:
        sentinel.sentinel_ckquorum(service_name)
    except (RedisError, OSError):
        return False
    return True


class _Watched:
    """A connection to the primary that the sentinels name.

    Where it was cut off, redis-py would connect past the sentinels when it sends the next command;
    and it leaves one open whose answer does not come in time: the next command would get that.
    And a connection that nobody has used meanwhile outlives its primary's host being cut off: when
    that is back, it takes itself for the primary for a while.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        if check_health and self._is_of_former_primary():  # else it says who it is, or is probed
            self.disconnect()  # type: ignore[attr-defined]  # a mixin
        self.connect()  # type: ignore[attr-defined]
        super().send_packed_command(command, check_health)  # type: ignore[misc]

    def _is_of_former_primary(self) -> bool:
        named = self.connection_pool.master_address  # type: ignore[attr-defined]
        return bool(named) and named != (self.host, self.port)  # type: ignore[attr-defined]

    def read_response(self, *args: Any, **options: Any) -> Any:
        options = {"disconnect_on_error": True, **options}
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]  # a mixin
        except ResponseError as error:
            if not str(error).startswith(_NO_REPLICAS):
                raise
            # It may be alone, and another one have its place: as with a primary that was demoted.
            self.disconnect()  # type: ignore[attr-defined]
            raise RedisConnectionError("The primary has lost its replicas.") from error


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
