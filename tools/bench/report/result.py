"""What a part of the bench found: its tables, a sentence on its aim, and where and when that was."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.bench.report.tables import Table


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the chart for each of those who did the same: median milliseconds by name."""

    what: str
    millis: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Found:
    """The tables by the names that the page has for them; `command`, `day` and `machine` tell the run."""

    tables: dict[str, Table]
    verdict: str
    bars: list[Bar] = field(default_factory=list)
    command: str = ""
    day: str = ""
    machine: str = ""


def sentence(what: str, value: float, aim: float, unit: str) -> str:
    """Whether an aim is met, in plain words."""
    held = "met" if value <= aim else "**missed**"
    return f"{what} {value:.2f}{unit}: {held}."
