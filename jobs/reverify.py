"""Verifying refused requests again, once the secret that was missing or wrong is mended.

What verifies now is judged at its receipt, kept like any other delivery, and applied once.
"""

from dataclasses import dataclass

from gateway.domain.errors import Rejected
from gateway.store.journal import Rejection
from gateway.store.keys import shard_of
from jobs.runtime import Runtime
from providers.diagnosis import REDACTED

_RESEND = "have the provider send it again"


@dataclass(frozen=True, slots=True)
class Reverified:
    """`delivery_id` is what it was kept as; without one, `why` says what stands against it."""

    rejection: Rejection
    delivery_id: str | None
    why: str = ""


def reverify(runtime: Runtime, rejection: Rejection) -> Reverified:
    """Keeps a refused request if it verifies today. Safe to repeat. Raises StoreUnavailable."""
    if rejection.kept_as is not None:
        return Reverified(rejection, rejection.kept_as, "it was kept before")
    delivery = rejection.delivery
    instance = runtime.instances.get(delivery.provider_id)
    if instance is None:
        return Reverified(rejection, None, "its provider is not configured")
    if not rejection.whole:
        return Reverified(rejection, None, f"too long to have been kept whole: {_RESEND}")
    redacted = [value for _, value in delivery.headers] + delivery.query.split("=")
    if any(REDACTED in value for value in redacted):
        return Reverified(rejection, None, f"its credentials were not kept: {_RESEND}")
    try:
        verified = instance.adapter.verify(delivery, instance.config)
    except Rejected as error:
        return Reverified(rejection, None, str(error))
    key = instance.adapter.key(delivery, instance.config)
    appended = runtime.inbox.append(
        delivery,
        # Without a key of its own, it is told from others by its place in the journal.
        f"rejected:{rejection.id}".encode() if key is None else key,
        secret=verified.secret,
        settled=verified.settled,
    )
    runtime.journal.keep(rejection, appended.delivery_id)
    if appended.wake_due:
        runtime.queue.wake(shard_of(appended.delivery_id))
    return Reverified(rejection, appended.delivery_id)
