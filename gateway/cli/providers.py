"""`gateway providers`: the configured instances, their URLs, and which secrets still match."""

import click

from gateway.cli import operating
from gateway.cli.operating import as_json, say
from gateway.store.secret_use import SecretUse
from jobs.runtime import Runtime
from providers.configuration import secret_labels
from providers.registry import Instance


@click.command(name="providers")
@as_json
def command(*, as_json: bool) -> None:
    """List the providers that the environment configures; never a secret."""
    with operating.runtime() as runtime:
        for name in sorted(runtime.instances):
            _show(runtime, runtime.instances[name], as_json=as_json)


def _show(runtime: Runtime, instance: Instance, *, as_json: bool) -> None:
    uses = {use.label: use for use in runtime.secret_uses.of(instance.name)}
    labels = list(dict.fromkeys([*secret_labels(instance.config), *uses]))
    path, mode = f"/webhooks/{instance.name}", instance.mode
    say(
        as_json,
        f"{instance.name}  {instance.adapter.id}  {path}  {mode}",
        name=instance.name,
        adapter=instance.adapter.id,
        path=path,
        mode=mode,
        secrets=[_facts(label, uses.get(label)) for label in labels],
    )
    if not as_json:
        for label in labels:
            click.echo(f"  {label}  {_told(uses.get(label))}")


def _facts(label: str, use: SecretUse | None) -> dict[str, object]:
    return {"label": label, "matched": use.count if use else 0, "last": use and use.last_at}


def _told(use: SecretUse | None) -> str:
    if use is None:
        return "has matched nothing yet"
    return f"matched {use.count}, last at {use.last_at.isoformat(timespec='seconds')}"
