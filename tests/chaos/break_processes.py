"""Processes killed at random moments, stopped under load, and robbed of their queue."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from processes import Gateway, Role, eventually
from proxy import Proxy
from scene import Row, Scale, Scene, fault, scene, started
from stream import SETTINGS

# Seconds: longer than a drain may hold an entry before it counts as dead.
_HELD = 5.0


def _killed(scale: Scale, role: str) -> Row:
    with scene(scale) as it:
        with it.traffic:
            for _ in range(scale.rounds):
                it.calm()
                time.sleep(random.random() / 2)
                it.gateway.roles[role].kill()
                it.gateway.roles[role].start()
        it.settle()
        return it.row()


@fault("kill -9 of the web process")
def web_killed(scale: Scale) -> Row:
    return _killed(scale, "web")


@fault("kill -9 of the worker")
def worker_killed(scale: Scale) -> Row:
    return _killed(scale, "worker")


@fault("kill -9 of cron")
def cron_killed(scale: Scale) -> Row:
    return _killed(scale, "cron")


@fault("RQ's keys flushed, wake flags deleted")
def queue_flushed(scale: Scale) -> Row:
    with scene(scale) as it, it.gateway.client() as client:
        with it.traffic:
            for _ in range(scale.rounds):
                it.traffic.flow(scale.webhooks // 2)
                doomed = [*client.scan_iter("rq:*", 1000), *client.scan_iter("inbox:*:wake", 1000)]
                client.delete(*doomed)
                it.traffic.flow(scale.webhooks // 2)
        it.settle()
        return it.row()


@contextmanager
def _proxied(scale: Scale) -> Iterator[tuple[Scene, Proxy]]:
    """The worker reaches the store through a proxy."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="pwg-")))
        proxy = stack.enter_context(Proxy(folder / "s"))
        gateway = Gateway(folder, SETTINGS, store_urls={"worker": proxy.url})
        yield stack.enter_context(started(scale, gateway)), proxy


@fault("drain killed between commit and acknowledge")
def drain_killed(scale: Scale) -> Row:
    with _proxied(scale) as (it, proxy):
        worker = it.gateway.roles["worker"]
        with it.traffic:
            for number in range(scale.rounds):
                it.calm()
                proxy.trap(b"gateway_finish", worker.kill)
                eventually(lambda n=number: proxy.trapped > n, "a drain was about to finish")
                worker.start()
        it.settle()
        it.seen.append(f"{proxy.trapped} drains killed")
        return it.row()


@fault("workers come and go, and one is frozen and comes back")
def workers_change(scale: Scale) -> Row:
    """The frozen one holds a batch that others take over; then it goes on where it was."""
    with scene(scale) as it:
        first = it.gateway.roles["worker"]
        with another(first, 2) as second, another(first, 3) as third:
            with it.traffic:
                for number in range(max(2, scale.rounds // 3)):
                    it.calm()
                    frozen = psutil.Process(first.process.pid)
                    frozen.suspend()
                    leaving = (second, third)[number % 2]
                    leaving.stop()
                    it.calm()
                    leaving.start()
                    time.sleep(_HELD)
                    frozen.resume()
                    it.calm()
            it.settle()
        return it.row()


@fault("a worker's link to the store dropped, and back")
def link_dropped(scale: Scale) -> Row:
    """As if its host were cut off: nothing is refused, nothing arrives, until all of it does."""
    with _proxied(scale) as (it, proxy):
        cut_off = it.gateway.roles["worker"]
        with another(cut_off, 2, GATEWAY_STORE_URL=f"unix://{it.gateway.socket}"):
            with it.traffic:
                for _ in range(max(2, scale.rounds // 3)):
                    it.calm()
                    proxy.drop()
                    it.calm()
                    time.sleep(_HELD)
                    proxy.restore()
                    it.calm()
            it.settle()
            assert cut_off.process.poll() is None, "it needs no restart"
        # There is nobody left but the one that was cut off.
        it.traffic.deliver(it.traffic.next_webhook())
        it.traffic.wait_until_worked_off()
        return it.row()


@fault("SIGTERM to the web process")
def deployed(scale: Scale) -> Row:
    with scene(scale, fresh=True) as it:
        with it.traffic:
            for _ in range(scale.rounds):
                it.calm()
                it.gateway.roles["web"].stop()
                it.gateway.roles["web"].start()
                eventually(it.gateway.is_ready, "ready again")
        it.settle()
        account = it.traffic.account
        assert set(account.answers) <= {0, 200}, account.answers
        it.seen.append(f"{account.cut_off} cut off after they were sent")
        return it.row()


@contextmanager
def another(role: Role, number: int, **altered: str) -> Iterator[Role]:
    """One more of a role's processes, on this machine."""
    log = role.log.with_name(f"{role.name}{number}.log")
    made = Role(f"{role.name}{number}", role.command, role.environment | altered, log)
    made.start()
    try:
        yield made
    finally:
        made.stop()
