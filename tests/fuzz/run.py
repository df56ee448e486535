"""`make fuzz`: a million deliveries that are wrong in some way, through every adapter."""

import sys
import time
import traceback
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from garbage import INSTANCES, inputs, tried

TOTAL = 1_050_000


def main(seed: int) -> int:
    """Says how many inputs there were, and each that got an exception out."""
    each, found, began = TOTAL // len(INSTANCES), 0, time.monotonic()
    for name, instance in INSTANCES.items():
        for number, delivery in enumerate(islice(inputs(name, seed), each)):
            try:
                tried(instance, delivery)
            except Exception:  # noqa: BLE001 - this is what is looked for
                found += 1
                sys.stdout.write(f"{name} {number}: {delivery.body!r} {delivery.headers!r}\n")
                traceback.print_exc()
        sys.stdout.write(f"{name}: {each:,}\n")
        sys.stdout.flush()
    minutes = (time.monotonic() - began) / 60
    count = each * len(INSTANCES)
    sys.stdout.write(f"{count:,} inputs in {minutes:.0f} minutes, seed {seed}: {found} found\n")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else time.time_ns()))
