"""The result of a part: tables and a verdict per aim, for the terminal and for docs/performance.md.

There, a part is between `<!-- measured: name -->` and `<!-- end -->`; the text around it is handwritten.
"""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from shared import clock
from tools.tables import Table


_TERMINAL_ONLY: Final = {"max", "RSS MB", "CPU ms/req", "CPU s", "idle s"}


@dataclass(frozen=True, slots=True)
class PartResult:
    """The tables and verdicts of a part. The page has the first table only."""

    tables: Sequence[Table]
    verdicts: list[str] = field(default_factory=list)

    def markdown(self, command: str, engines: Sequence[str]) -> str:
        header = f"Measured on {clock.now():%Y-%m-%d} by `{command}`, on {describe_machine(engines)}."
        return "\n\n".join([header, self.tables[0].markdown(_TERMINAL_ONLY), "\n".join(self.verdicts)])


def build_verdict(subject: str, value: float, limit: float, unit: str) -> str:
    """A sentence with the value, the aim and the verdict."""
    return f"{subject} {value:.2f}{unit}; the aim is {limit:g} at most: {'met' if value <= limit else '**missed**'}."


def describe_machine(engines: Sequence[str]) -> str:
    """Cores, load and versions, without names and paths."""
    cores = f"{os.cpu_count()} cores ({platform.machine()}), load average {os.getloadavg()[1]:.1f}"
    packages = (f"{name} {version(name)}" for name in ("azure-functions-runtime", "SQLAlchemy", "pydantic"))
    return ", ".join([cores, f"Python {platform.python_version()}", *engines, *packages])


def replace_part(page: str, name: str, text: str) -> str:
    """The page with a new text of one part.

    Raises:
        KeyError: the page does not have the part.
    """
    part = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not part.search(page):
        raise KeyError(name)
    return part.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", page)
