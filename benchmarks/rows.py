"""The table: each row a ratio of medians, and the figures that it is made of beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HEAD = (
    "| measure | gateway | against | ratio | must reach | |\n"
    "| --- | ---: | --- | ---: | ---: | --- |"
)


@dataclass(frozen=True)
class Row:
    """One measure. `reached` None: nothing was demanded, the figure is for information."""

    measure: str
    ours: str
    against: str = "–"
    ratio: str = "–"
    goal: str = "–"
    reached: bool | None = None

    def __str__(self) -> str:
        mark = {True: "✓", False: "✗", None: ""}[self.reached]
        cells = [self.measure, self.ours, self.against, self.ratio, self.goal, mark]
        return f"| {' | '.join(cells)} |"


def at_least(
    measure: str, ours: Sequence[float], name: str, theirs: Sequence[float], goal: float
) -> Row:
    """Rates a second: the more the better."""
    ratio = median(ours) / median(theirs)
    return Row(
        measure,
        f"{median(ours):,.0f}/s",
        f"{name} {median(theirs):,.0f}/s",
        f"{ratio:.2f} ×",
        f"≥ {goal:g} ×",
        ratio >= goal,
    )


def at_most(
    measure: str, ours: Sequence[float], name: str, theirs: Sequence[float], goal: float, unit: str
) -> Row:
    """Costs, in seconds: shown in `unit` (µs or ms)."""
    scale = {"µs": 1e6, "ms": 1e3}[unit]
    ratio = median(ours) / median(theirs)
    return Row(
        measure,
        f"{median(ours) * scale:,.1f} {unit}",
        f"{name} {median(theirs) * scale:,.1f} {unit}",
        f"{ratio:.2f} ×",
        f"≤ {goal:g} ×",
        ratio <= goal,
    )


def within(measure: str, ours: float, limit: float, unit: str, scale: float = 1.0) -> Row:
    """A figure with a limit of its own; both in the base unit, shown in `unit`."""
    shown = f"{ours / scale:,.1f} {unit}"
    return Row(measure, shown, goal=f"≤ {limit / scale:g} {unit}", reached=ours <= limit)
