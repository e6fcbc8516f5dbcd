"""What a cold start costs: the processor time of importing the app, and which module takes how much of it."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final


PROJECT: Final = Path(__file__).resolve().parents[1]
BUDGET_SECONDS: Final = 4.0  # three times what it takes on two cores: a slower import is a mistake, no slow machine
OURS: Final = ("function_app", "timers", "reports", "tenants", "billing", "webhooks", "privacy", "shared")
_ITSELF: Final = "Python itself"
_CODE: Final = "import function_app, time; print(time.process_time())"
_LINE: Final = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Start:
    """`milliseconds` by the clock: of each of our modules and each package, what is spent in it and not below it."""

    cpu_seconds: float
    milliseconds: dict[str, float]

    @property
    def is_within_budget(self) -> bool:
        return self.cpu_seconds < BUDGET_SECONDS


def measure(runs: int = 3) -> Start:
    """The best of some starts, each in a process of its own: what else the machine does only ever adds."""
    starts = [_once() for _ in range(runs)]
    names = {name for start in starts for name in start.milliseconds}
    best = {name: min(start.milliseconds.get(name, 0.0) for start in starts) for name in names}
    slowest_first = dict(sorted(best.items(), key=lambda item: -item[1]))
    return Start(min(start.cpu_seconds for start in starts), slowest_first)


def report(start: Start, *, most: int = 30) -> str:
    """A table of the modules that take the most."""
    rows = [*start.milliseconds.items()]
    rest = sum(spent for _, spent in rows[most:])
    lines = [f"{spent:9.1f}  {name}" for name, spent in rows[:most]]
    lines += [f"{rest:9.1f}  {len(rows) - most} others"] if rest else []
    total = f"{start.cpu_seconds:.2f} s of processor time, of {BUDGET_SECONDS:.0f} s that a cold start may take"
    return "\n".join(["       ms  module", *lines, total])


def _once() -> Start:
    command = [sys.executable, "-X", "importtime", "-c", _CODE]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    spent: Counter[str] = Counter()
    for name, microseconds in _lines(done.stderr):
        spent[name] += microseconds
    return Start(float(done.stdout), {name: total / 1000 for name, total in spent.items()})


def _lines(told: str) -> Iterator[tuple[str, int]]:
    return ((_owner(module), int(microseconds)) for microseconds, module in _LINE.findall(told))


def _owner(module: str) -> str:
    """Our modules one by one, packages as a whole."""
    top = module.partition(".")[0]
    if top in OURS:
        return module
    if top == "azure":  # many packages share the name
        return ".".join(module.split(".")[:2])
    return _ITSELF if top in sys.stdlib_module_names else top
