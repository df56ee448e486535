"""Simulated webhooks on the command line: posted as their provider would, one line for each."""

from gateway.cli.operating import say
from gateway.client import Answer, post_delivery
from gateway.domain.errors import Rejected
from gateway.domain.events import Delivery
from providers.registry import Instance


def post(
    base_url: str,
    instance: Instance,
    delivery: Delivery,
    note: str = "",
    *,
    as_json: bool = False,
) -> Answer:
    """Posts a delivery and says what the gateway answered. Raises Unreachable."""
    answer, types = post_delivery(base_url, delivery), _types(instance, delivery)
    line = f"→ {instance.name} {types}  {answer.status}"
    say(
        as_json,
        "  ".join(part for part in (line, answer.cause, note) if part),
        provider=instance.name,
        types=types,
        status=answer.status,
        cause=answer.cause,
        answer=answer.text,
    )
    return answer


def _types(instance: Instance, delivery: Delivery) -> str:
    """What the delivery tells, in the provider's own words."""
    try:
        types = [event.type for event in instance.adapter.read(delivery, instance.config)]
    except Rejected as error:
        return f"({error.cause})"
    return " + ".join(types) or "(nothing about a payment)"
