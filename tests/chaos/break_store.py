"""The store killed, frozen, cut off, full, and without room on its disk."""

import resource
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import requests
from processes import Gateway, eventually
from proxy import Proxy
from scene import Row, Scale, Scene, fault, scene
from stream import SETTINGS

from gateway.store.health import MEMORY_HEADROOM


@fault("kill -9 of the store")
def store_killed(scale: Scale) -> Row:
    with scene(scale) as it:
        with it.traffic:
            for _ in range(scale.rounds):
                it.calm()
                it.gateway.roles["store"].kill()
                time.sleep(0.5)
                it.gateway.roles["store"].start()
                eventually(it.gateway.is_ready, "ready again")
        it.settle()
        return it.row()


@fault("store frozen")
def store_frozen(scale: Scale) -> Row:
    with scene(scale) as it:
        store = psutil.Process(it.gateway.roles["store"].process.pid)
        with it.traffic:
            for seconds in scale.freezes:
                it.calm()
                store.suspend()
                time.sleep(1)  # what was under way is answered by now
                before = it.traffic.account.answers[200]
                time.sleep(seconds - 1)
                assert before == it.traffic.account.answers[200], "nothing is durable meanwhile"
                it.seen.append(f"{seconds:g} s: {_threads(it.gateway)} threads")
                store.resume()
                eventually(it.gateway.is_ready, "ready again")
        it.settle()
        return it.row()


def _threads(gateway: Gateway) -> int:
    web = psutil.Process(gateway.roles["web"].process.pid)
    return sum(one.num_threads() for one in [web, *web.children(recursive=True)])


@fault("connections to the store cut, replies swallowed")
def connections_cut(scale: Scale) -> Row:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="pwg-")))
        web = stack.enter_context(Proxy(folder / "s"))
        jobs = stack.enter_context(Proxy(folder / "s"))
        urls = {"web": web.url, "worker": jobs.url, "cron": jobs.url}
        gateway = Gateway(folder, SETTINGS, store_urls=urls)
        stack.callback(gateway.stop)
        gateway.start()
        it = Scene(scale, gateway)
        it.traffic.prepare()
        with it.traffic:
            for number in range(scale.rounds):
                it.traffic.flow(scale.webhooks // 2)
                proxy = (web, jobs)[number % 2]
                proxy.swallow(5)
                it.traffic.flow(scale.webhooks // 4)
                proxy.cut()
                it.traffic.flow(scale.webhooks // 4)
        for proxy in (web, jobs):
            proxy.swallow(0)
        it.settle()
        swallowed, cuts = web.swallowed + jobs.swallowed, web.cuts + jobs.cuts
        it.seen.append(f"{swallowed} replies swallowed, {cuts} connections cut")
        return it.row()


@fault("store full")
def store_full(scale: Scale) -> Row:
    with scene(scale) as it, it.gateway.client() as client:
        with it.traffic:
            for _ in range(max(1, scale.rounds // 3)):
                it.calm()
                used = client.info("memory")["used_memory"]
                client.config_set("maxmemory", used + MEMORY_HEADROOM + scale.fill)
                eventually(lambda: not it.gateway.is_ready(), "it is noticed", seconds=120)
                reasons = requests.get(f"{it.gateway.url}/ready", timeout=5).json()["reasons"]
                assert "nearly full" in reasons[0], reasons
                it.calm()
                client.config_set("maxmemory", 0)
                eventually(it.gateway.is_ready, "ready again")
        failed = client.info("errorstats").get("errorstat_OOM", {"count": 0})["count"]
        it.seen.append(f"{failed} writes failed")
        it.settle()
        return it.row()


@fault("disk of the append-only file full")
def disk_full(scale: Scale) -> Row:
    with scene(scale) as it:
        store = it.gateway.roles["store"]
        with it.traffic:
            for _ in range(max(1, scale.rounds // 3)):
                it.calm()
                size = sum(f.stat().st_size for f in it.gateway.folder.rglob("*.aof"))
                limit = (size + 64 * 1024, resource.RLIM_INFINITY)
                resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, limit)
                eventually(lambda: not it.gateway.is_ready(), "it is noticed", seconds=120)
                it.traffic.flow(scale.webhooks // 2)
                if store.process.poll() is None:
                    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                    resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, unlimited)
                else:
                    it.seen.append("the server ended itself")
                    store.start()
                eventually(it.gateway.is_ready, "ready again")
        it.settle()
        # What was acknowledged must be on disk, and not only in the server's memory.
        store.kill()
        store.start()
        it.settle()
        return it.row()
