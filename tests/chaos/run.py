"""`make chaos`: breaks gateways in every way known here, and writes down what came of it."""

import platform
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

for folder in ("tests", "tests/chaos", "tests/system"):
    sys.path.insert(0, str(Path(__file__).parents[2] / folder))

import break_apis  # noqa: E402, F401 - each module adds its faults
import break_floods  # noqa: E402, F401
import break_hosts  # noqa: E402, F401
import break_inputs  # noqa: E402, F401
import break_processes  # noqa: E402, F401
import break_servers  # noqa: E402, F401
import break_store  # noqa: E402, F401
import psutil  # noqa: E402
from scene import FAULTS, LONG, Row  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "promises.md"
_MARK = "<!-- made by `make chaos` -->"
_HEAD = (
    "| fault | sent | acknowledged | refused or unanswered | lost | doubled | slowest refusal"
    " | worked off after | seen |\n| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |"
)


def line(name: str, row: Row) -> str:
    others = {status: n for status, n in row.answers.items() if not 200 <= status < 300}
    told = ", ".join(f"{status or 'none'}: {n:,}" for status, n in others.items())
    cells = [name, f"{row.sent:,}", f"{row.acknowledged:,}", told, row.lost, row.doubled]
    cells += [f"{row.slowest:.2f} s", f"{row.recovered:.1f} s", row.seen]
    return f"| {' | '.join(map(str, cells))} |"


def machine() -> str:
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    return (
        f"{cores} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"
    )


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    began, rows, failed = time.monotonic(), {}, 0
    say(_HEAD)
    for name, function in FAULTS.items():
        try:
            rows[name] = function(LONG)
        except Exception:  # noqa: BLE001 - the others are worth knowing nevertheless
            failed += 1
            say(f"{name}: {traceback.format_exc()}")
        else:
            say(line(name, rows[name]))
    if failed:
        say(f"{failed} could not be accounted for, so nothing is written down.")
        return 1
    sent, minutes = sum(row.sent for row in rows.values()), (time.monotonic() - began) / 60
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    summary = (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit or 'unknown'}; {machine()}; "
        f"{sent:,} webhooks in {minutes:.0f} minutes."
    )
    say(f"\n{summary}")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_MARK)
    _, _, after = rest.partition(_MARK)
    table = "\n".join([_HEAD, *(line(name, row) for name, row in rows.items())])
    PAGE.write_text(f"{before}{_MARK}\n{summary}\n\n{table}\n{_MARK}{after}", encoding="utf-8")
    return int(any(row.lost or row.doubled for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
