"""`make bench`: measures everything in one run, prints the table and writes it down.

python benchmarks/run.py [PART ...]      some parts only, and nothing is written down
"""

import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
for folder in ("tests", "tests/system", "benchmarks"):
    sys.path.insert(0, str(ROOT / folder))

import acknowledge  # noqa: E402
import applying  # noqa: E402
import growth  # noqa: E402
import polling  # noqa: E402
import psutil  # noqa: E402
import sizes  # noqa: E402
import visible  # noqa: E402
from rows import HEAD, Row  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
_MARK = "<!-- made by `make bench` -->"
PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "acknowledge": acknowledge.measure,
    "applying": applying.measure,
    "visible": visible.measure,
    "polling": polling.measure,
    "sizes": sizes.measure,
    "growth": growth.measure,
}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def summary(seconds: float) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit or 'unknown'}; {psutil.cpu_count()} cores, "
        f"{memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}; "
        f"{seconds / 60:.0f} minutes."
    )


def write_down(table: str) -> None:
    before, _, rest = PAGE.read_text().partition(f"{_MARK}\n")
    _, _, after = rest.partition(f"{_MARK}\n")
    PAGE.write_text(f"{before}{_MARK}\n\n{table}\n\n{_MARK}\n{after}")


def main(chosen: list[str]) -> int:
    began, rows = time.monotonic(), []
    say(HEAD)
    for name in chosen or PARTS:
        for row in PARTS[name]():
            rows.append(row)
            say(str(row))
    told = summary(time.monotonic() - began)
    say(f"\n{told}")
    if not chosen:
        write_down("\n".join([told, "", HEAD, *map(str, rows)]))
    return 0 if all(row.reached is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
