"""What a part found: its tables and a sentence on each aim, shown on the terminal and written into docs/performance.md.

A part stands there between `<!-- measured: name -->` and `<!-- end -->`; what is around it is written by hand.
"""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from shared import clock
from tools.tables import Table


@dataclass(frozen=True, slots=True)
class Found:
    """What a part found."""

    tables: Sequence[Table]
    verdicts: list[str] = field(default_factory=list)

    def markdown(self, command: str, engines: Sequence[str]) -> str:
        run = f"Measured on {clock.now():%Y-%m-%d} by `{command}`, on {machine(engines)}."
        return "\n\n".join([run, *(each.markdown() for each in self.tables), "\n".join(self.verdicts)])


def aim(what: str, value: float, most: float, unit: str) -> str:
    """Whether an aim is met, in plain words."""
    return f"{what} {value:.2f}{unit}; the aim is {most:g} at most: {'met' if value <= most else '**missed**'}."


def machine(engines: Sequence[str]) -> str:
    """Cores, how busy they were, and the versions that matter; no names and no paths."""
    cores = f"{os.cpu_count()} cores ({platform.machine()}), load average {os.getloadavg()[1]:.1f}"
    packages = (f"{name} {version(name)}" for name in ("azure-functions-runtime", "SQLAlchemy", "pydantic"))
    return ", ".join([cores, f"Python {platform.python_version()}", *engines, *packages])


def replaced(page: str, name: str, text: str) -> str:
    """The page with another text for that part.

    Raises:
        KeyError: the page has no such part.
    """
    part = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not part.search(page):
        raise KeyError(name)
    return part.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)
