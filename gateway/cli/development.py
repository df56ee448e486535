"""A whole gateway on loopback, for development: made-up secrets, a token, and all processes."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.stand_in import PORT
from gateway.cli.token import new_secret
from gateway.client import is_ready
from gateway.config import METRICS_DIR, PREFIX, LogFormat, instance_prefix, load
from gateway.domain.errors import InvalidInput
from gateway.embedded import EmbeddedValkey
from gateway.store.clients import worker_client
from gateway.store.tokens import Scope, Token, Tokens, digest_of
from gateway.supervisor import Role, Stop, Supervisor
from providers import registry, simulator
from providers.registry import Instance

HOST = "127.0.0.1"
"""The only address: whoever reaches a development gateway can sign every webhook."""

STORE_URL = f"{PREFIX}STORE_URL"
_STORE = frozenset({STORE_URL, f"{STORE_URL}_FILE"})
TOKEN_FILE = "token"  # noqa: S105 - a file's name
_TOKEN_NAME = "development"  # noqa: S105 - a token's name
_START = 60.0
WEB_OPTIONS = (
    # Up to 500 may wait for a change; the others are for whoever does not. Granian has no more.
    "--blocking-threads 512 --http 1 --no-ws --respawn-failed-workers"
    # Headers of 64 KiB and more are refused; who sends none, or no next request, is cut off.
    " --http1-buffer-size 65536 --http1-header-read-timeout 10000"
).split()
"""Of granian, wherever it serves; the Procfile has them, too."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running one: its processes, where it answers, and a token that may do everything."""

    supervisor: Supervisor
    base_url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: logs go to files below `data`, or to standard error."""

    data: Path
    port: int
    environment: Mapping[str, str] = field(repr=False)
    workers: int = 1
    log_files: bool = True

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"


@contextmanager
def running(plan: Plan, say: Callable[[str], None], stop: Stop) -> Iterator[Gateway]:
    """Runs a gateway, from the moment that it is ready. Raises GatewayError."""
    with ExitStack() as stack:
        plan.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment = dict(plan.environment) | {METRICS_DIR: str(_emptied(plan.data / "metrics"))}
        logs = plan.data / "logs" if plan.log_files else None
        if not _STORE.isdisjoint(environment):
            supervisor = stack.enter_context(Supervisor(logs, say, stop))
        else:
            valkey = stack.enter_context(EmbeddedValkey(plan.data))
            supervisor = stack.enter_context(Supervisor(logs, say, stop))
            supervisor.start(valkey.role(environment))
            environment[STORE_URL] = valkey.url
            supervisor.wait_until(valkey.answers, _START, "The embedded Valkey is not ready")
        for role in _roles(plan, environment):
            supervisor.start(role)
        token = development_token(plan.data / TOKEN_FILE, load(environment).store_url)
        ready = "The gateway is not ready"
        supervisor.wait_until(lambda: is_ready(plan.base_url), _START, ready)
        yield Gateway(supervisor, plan.base_url, token)


def development_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with made-up secrets for every provider that it does not configure.

    Raises ConfigurationError.
    """
    own = {f"{PREFIX}LOG_FORMAT": LogFormat.CONSOLE.value, **environ}
    configured = _instances(own)
    for adapter_id in simulated_adapters():
        if adapter_id not in configured:
            own |= provider_environment(adapter_id)
            # Made-up secrets must not be sent to the real API: the simulator stands in for it.
            own[f"{instance_prefix(adapter_id)}API_BASE"] = f"http://{HOST}:{PORT}"
    return own


def provider_environment(adapter_id: str, name: str | None = None) -> dict[str, str]:
    """The variables that configure an instance, of the adapter's name, by made-up secrets."""
    prefix = instance_prefix(name or adapter_id)
    values = simulator.development_config(adapter_id)
    return {f"{prefix}{key.upper()}": _text(value) for key, value in values.items()}


def simulated_adapters() -> list[str]:
    """The adapters of which there are samples: all in this tree."""

    def has_samples(adapter_id: str) -> bool:
        try:
            return bool(simulator.kinds(adapter_id))
        except InvalidInput:
            return False

    return [adapter_id for adapter_id in registry.adapter_ids() if has_samples(adapter_id)]


def development_instance(name: str, environ: Mapping[str, str]) -> Instance:
    """A provider as a development gateway with this environment knows it."""
    instances = _instances(development_environment(environ))
    if name not in instances:
        raise click.ClickException(
            f"There is no provider {name!r}; there are {', '.join(sorted(instances))}."
        )
    return instances[name]


def _instances(environ: Mapping[str, str]) -> Mapping[str, Instance]:
    # Where the store is does not matter here.
    return load({STORE_URL: "redis://localhost", **environ}).instances


def development_token(file: Path, store_url: str) -> str:
    """The token in a file, made at the first time, and known to the store in any case."""
    if not file.exists():
        # Made with its mode, so that it is at no time readable to others.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(f"{new_secret()}\n")
    secret = file.read_text(encoding="utf-8").strip()
    with closing(worker_client(store_url)) as client:
        tokens = Tokens(client)
        if tokens.find(secret) is None:
            now, scopes = datetime.now(UTC), frozenset(Scope)
            tokens.add(Token(_TOKEN_NAME, scopes, digest_of(secret), created_at=now))
    return secret


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def require_free(port: int) -> None:
    """Says so before anything is started, and not in the web server's log."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror}); choose another one with --port."
        ) from None


def _emptied(folder: Path) -> Path:
    """What processes of an earlier start have counted must not be added to."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder.resolve()


def _roles(plan: Plan, environment: Mapping[str, str]) -> list[Role]:
    # -P: a folder named `jobs` in the working directory is not ours.
    python = (sys.executable, "-P", "-m")
    web = [*python, "granian", "--interface", "wsgi", "--host", HOST, "--port", str(plan.port)]
    web += [*WEB_OPTIONS, "--workers", str(plan.workers), "--workers-kill-timeout", "2"]
    return [
        Role("worker", (*python, "jobs.worker"), environment),
        Role("settler", (*python, "jobs.worker", "settle"), environment),
        Role("cron", (*python, "jobs.cron"), environment),
        Role("web", (*web, "gateway.wsgi:app"), environment),
    ]


def _text(value: Any) -> str:
    """A setting as its variable holds it."""
    return value if isinstance(value, str) else json.dumps(value)
