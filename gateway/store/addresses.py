"""Where a store is: one server, a primary that sentinels watch, or a cluster.

    redis://[user:password@]host[:6379][/db]          rediss:// with TLS, unix:// by a socket
    redis+sentinel://[user:password@]host[:26379],host,.../name[/db]
    redis+cluster://[user:password@]host[:6379],host,...

`rediss+sentinel` and `rediss+cluster` speak TLS. What follows a `?` are redis-py's options, such as
`ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`. User and password are those of the servers, not of
the sentinels.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from redis.connection import parse_url

_ONE_SERVER = ("redis://", "rediss://", "unix://")
_HOST = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_PATH = re.compile(r"/([A-Za-z0-9._-]+)(?:/([0-9]+))?")


class Kind(StrEnum):
    """How the servers stand together."""

    ONE = "one server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_PORTS = {Kind.SENTINEL: 26379, Kind.CLUSTER: 6379}
SCHEMES = (*_ONE_SERVER, *(f"redis+{kind}://" for kind in _PORTS))


@dataclass(frozen=True, slots=True)
class Address:
    """A URL, read. `hosts` are sentinels or nodes, `service` is the primary's name there.

    `options` are those of redis-py's connections; they may hold a password.
    """

    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def parse(url: str) -> Address:
    """Raises ValueError, with what is wrong and never with the URL itself."""
    if url.startswith(_ONE_SERVER):
        return Address(Kind.ONE, options=_options(url))
    scheme, _, rest = url.partition("://")
    transport, _, kind_name = scheme.partition("+")
    if transport not in ("redis", "rediss") or kind_name not in list(_PORTS):
        raise ValueError(f"must begin with one of {', '.join(SCHEMES)}")
    kind, parts = Kind(kind_name), urlsplit(f"//{rest}")
    login, _, hosts = parts.netloc.rpartition("@")
    # As for one server, so that the same options mean the same.
    plain = f"{transport}://{f'{login}@' if login else ''}host?{parts.query}"
    options = {name: value for name, value in _options(plain).items() if name != "host"}
    service = ""
    if kind is Kind.SENTINEL:
        service, options["db"] = _service(parts.path)
    return Address(kind, _hosts(hosts, _PORTS[kind]), service, options)


def _options(url: str) -> dict[str, Any]:
    try:
        return dict(parse_url(url))
    except ValueError:
        # What redis-py says may quote the password.
        raise ValueError("must be a URL of user, password, host, port and options") from None


def _hosts(text: str, port: int) -> tuple[tuple[str, int], ...]:
    found = [_HOST.fullmatch(one) for one in text.split(",")]
    if not all(found):
        raise ValueError("must name its hosts with commas between them, like host1:26379,host2")
    return tuple((one[1].strip("[]"), int(one[2] or port)) for one in found if one)


def _service(path: str) -> tuple[str, int]:
    named = _PATH.fullmatch(path)
    if named is None:
        raise ValueError("must end with the primary's name, like redis+sentinel://host/gateway")
    return named[1], int(named[2] or 0)
