"""The cost of a cold start: processor time of importing the app, by module."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final


PROJECT: Final = Path(__file__).resolve().parents[1]
BUDGET_SECONDS: Final = 4.0  # three times the time on two cores, so a slow machine passes
OURS: Final = ("function_app", "timers", "reports", "tenants", "billing", "webhooks", "privacy", "shared")
_ITSELF: Final = "Python itself"
_CODE: Final = "import function_app, time; print(time.process_time())"
_LINE: Final = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ColdStart:
    """`milliseconds` is the own time of each of our modules and each package, without its imports."""

    cpu_seconds: float
    milliseconds: dict[str, float]

    @property
    def is_within_budget(self) -> bool:
        return self.cpu_seconds < BUDGET_SECONDS


def measure(runs: int = 3) -> ColdStart:
    """The best of several starts in separate processes."""
    starts = [_measure_once() for _ in range(runs)]
    names = {name for start in starts for name in start.milliseconds}
    best = {name: min(start.milliseconds.get(name, 0.0) for start in starts) for name in names}
    slowest_first = dict(sorted(best.items(), key=lambda item: -item[1]))
    return ColdStart(min(start.cpu_seconds for start in starts), slowest_first)


def report(start: ColdStart, *, max_modules: int = 30) -> str:
    """A table of the slowest modules."""
    rows = [*start.milliseconds.items()]
    rest = sum(spent for _, spent in rows[max_modules:])
    lines = [f"{spent:9.1f}  {name}" for name, spent in rows[:max_modules]]
    lines += [f"{rest:9.1f}  {len(rows) - max_modules} others"] if rest else []
    total = f"{start.cpu_seconds:.2f} s of processor time, of {BUDGET_SECONDS:.0f} s that a cold start may take"
    return "\n".join(["       ms  module", *lines, total])


def _measure_once() -> ColdStart:
    command = [sys.executable, "-X", "importtime", "-c", _CODE]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    microseconds_by_name: Counter[str] = Counter()
    for name, microseconds in _parse_lines(process.stderr):
        microseconds_by_name[name] += microseconds
    return ColdStart(float(process.stdout), {name: total / 1000 for name, total in microseconds_by_name.items()})


def _parse_lines(stderr: str) -> Iterator[tuple[str, int]]:
    return ((_owner(module), int(microseconds)) for microseconds, module in _LINE.findall(stderr))


def _owner(module: str) -> str:
    """The module for our own, the package for others."""
    top = module.partition(".")[0]
    if top in OURS:
        return module
    if top == "azure":  # many packages share the name
        return ".".join(module.split(".")[:2])
    return _ITSELF if top in sys.stdlib_module_names else top
