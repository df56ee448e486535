"""Hosts of their own on one machine: network namespaces, whose links can be cut.

A cut link refuses nothing and resets nothing: what is sent over it is never heard of, as when a
machine loses its power or a cable is pulled. Each host has two of them, one to the store's network
and one to the public one; only the former can be cut.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from processes import Place, eventually

T = TypeVar("T")
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_STORES, _PUBLIC = "stores", "public"
_NETWORKS = {_STORES: "10.0.0", _PUBLIC: "10.0.1"}
_OURS = 254


class NoHosts(Exception):
    """This machine lets nobody make network namespaces."""


class Host:
    """One that is reached by both networks, until its link to the stores' is cut."""

    def __init__(self, number: int) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        process = self._holder.pid
        eventually(lambda: _network_of(process) != _network_of(os.getpid()), "the host is there")
        enter = ("nsenter", "--target", str(process), "--net")
        self._link = f"{_STORES}{number}"
        self.place = Place(f"{_NETWORKS[_STORES]}.{number}", enter)
        self.public_address = f"{_NETWORKS[_PUBLIC]}.{number}"
        for name, network in _NETWORKS.items():
            link = f"{name}{number}"
            _ip(f"link add {link} type veth peer name {name} netns {process}")
            _ip(f"link set {link} master {name} up")
            _ip(f"address add {network}.{number}/24 dev {name}", *enter)
            _ip(f"link set {name} up", *enter)
        _ip("link set lo up", *enter)

    def cut_off(self) -> None:
        """From all that is on the stores' network."""
        _ip(f"link set {self._link} down")

    def cut_off_from(self, others: Iterable["Host"]) -> None:
        """From these only: what they send arrives, and is never answered."""
        for other in others:
            _ip(f"route add blackhole {other.place.address}/32", *self.place.enter)

    def join(self) -> None:
        """All that was cut off is well again."""
        _ip(f"link set {self._link} up")
        _ip("route flush type blackhole", *self.place.enter)

    def close(self) -> None:
        """The host is gone with the last of its processes."""
        self._holder.kill()
        self._holder.wait()


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many of them, for whoever is `apart`, and has an address in both networks as well."""
    _ip("link set lo up")
    for name, network in _NETWORKS.items():
        _ip(f"link add {name} type bridge")
        _ip(f"address add {network}.{_OURS}/24 dev {name}")
        _ip(f"link set {name} up")
    with ExitStack() as stack:
        made = [Host(number) for number in range(1, count + 1)]
        for one in made:
            stack.callback(one.close)
        yield made


def apart(function: Callable[..., T], *arguments: object) -> T:
    """What a function returns in a process that has a network of its own. Raises NoHosts."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        pool.submit(_leave_network).result()
        return pool.submit(function, *arguments).result()


def _leave_network() -> None:
    """As root of a user namespace of its own: nobody needs to be root for it."""
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NETWORK):
        raise NoHosts(os.strerror(ctypes.get_errno()))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _network_of(process: int) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _ip(what: str, *enter: str) -> None:
    subprocess.run([*enter, "ip", *what.split()], check=True)
