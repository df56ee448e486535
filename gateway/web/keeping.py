"""Making a delivery durable: what may be promised of it is promised only after this."""

from gateway import tracing
from gateway.domain.errors import StoreUnavailable
from gateway.domain.events import Delivery
from gateway.observe import REQUEST_ID
from gateway.store.deliveries import Appended
from gateway.store.keys import shard_of
from gateway.web.services import Services


def keep(
    services: Services, delivery: Delivery, key: bytes, *, secret: str, settled: bool
) -> Appended:
    """Writes the delivery to disk and wakes a drain. Raises StoreUnavailable."""
    try:
        services.health().require()
    except StoreUnavailable:
        services.health.turn_away()
        raise
    try:
        appended = services.runtime.inbox.append(
            delivery,
            key,
            secret=secret,
            settled=settled,
            request_id=REQUEST_ID.get(),
            trace=tracing.current(),
        )
    except StoreUnavailable:
        services.health.turn_away()
        services.health.doubt()
        raise
    tracing.note(delivery=appended.delivery_id)
    if appended.wake_due:
        services.runtime.queue.wake(shard_of(appended.delivery_id))
    return appended
