"""Simulated webhooks on the command line: posted as their provider would, one line for each."""

import click

from gateway.client import Answer, post_delivery
from gateway.domain.errors import Rejected
from gateway.domain.events import Delivery
from providers.registry import Instance


def post(base_url: str, instance: Instance, delivery: Delivery, note: str = "") -> Answer:
    """Posts a delivery and says what the gateway answered. Raises Unreachable."""
    answer = post_delivery(base_url, delivery)
    line = f"→ {instance.name} {_types(instance, delivery)}  {answer.status}"
    click.echo("  ".join(part for part in (line, answer.cause, note) if part))
    return answer


def _types(instance: Instance, delivery: Delivery) -> str:
    """What the delivery tells, in the provider's own words."""
    try:
        types = [event.type for event in instance.adapter.read(delivery, instance.config)]
    except Rejected as error:
        return f"({error.cause})"
    return " + ".join(types) or "(nothing about a payment)"
