"""`make dictionary`: makes a dictionary for packing deliveries, from simulated webhooks.

A new one gets the next number, and `gateway.store.packing` has to name it: what was packed with an
older one needs that one for ever. All of it is made up, so it says nothing about any person.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

from gateway.cli.development import development_environment, simulated_adapters
from gateway.config import load
from gateway.domain.errors import InvalidInput
from gateway.store.deliveries import encode_meta
from providers import simulator
from providers.registry import Instance
from providers.simulator import SimulatedPayment

FOLDER = Path(__file__).parents[1] / "gateway" / "store" / "dictionaries"
SIZE = 32 * 1024
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def samples() -> Iterator[bytes]:
    """Every kind of event of every provider, some payments of each, as they are packed."""
    settings = load({"GATEWAY_STORE_URL": "redis://localhost", **development_environment({})})
    for name in simulated_adapters():
        for kind in simulator.kinds(name):
            for number in range(3):
                yield from _sample(settings.instances[name], kind, number)


def _sample(instance: Instance, kind: str, number: int) -> Iterator[bytes]:
    session_id = f"ps_01JD8ZK3V9R4{number}"
    payment = SimulatedPayment(
        session_id=session_id,
        external_id=simulator.external_id(instance.adapter.id, session_id),
        amount=4250 + number,
        currency="EUR",
    )
    event_id, at = f"evt_{kind}{number}", _BEGAN + timedelta(seconds=4711 * number)
    try:
        made = simulator.simulate(instance, kind, payment, event_id=event_id, at=at)
    except InvalidInput:
        return  # a provider that does not pay in this currency
    meta = encode_meta(made, secret="webhook_secrets[0]", settled=True)
    note = f'[{number},"{kind}: applied to {session_id}"]'
    yield b"\n".join([meta, note.encode(), made.body])


def main() -> None:
    number = 1 + max((int(one.name) for one in FOLDER.glob("[0-9]*")), default=0)
    made = zstandard.train_dictionary(SIZE, list(samples()), dict_id=number)
    (FOLDER / str(number)).write_bytes(made.as_bytes())
    sys.stdout.write(f"{FOLDER / str(number)}: {len(made)} bytes\n")


if __name__ == "__main__":
    main()
