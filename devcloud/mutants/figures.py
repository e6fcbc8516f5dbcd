"""Counts what became of the mutants of a part, from the files that mutmut keeps beside the code."""

import json
from collections import Counter
from dataclasses import dataclass

from mutmut.stats import status_by_exit_code

from devcloud.mutants.parts import Part


@dataclass(frozen=True)
class Figures:
    """`at_import` are mutants of functions that run only while modules are loaded, and so before a mutant is there."""

    mutants: int
    at_import: int
    tried: int
    killed: int
    timed_out: int
    unreached: int

    @property
    def survived(self) -> int:
        return self.tried - self.killed - self.timed_out - self.unreached

    @property
    def noticed(self) -> float:
        """Per cent of the tried; what never ends is noticed, what no test reaches is not."""
        return 100 * (self.killed + self.timed_out) / self.tried if self.tried else 0.0


def figures_of(part: Part) -> Figures:
    verdicts: Counter[str] = Counter()
    for path in (part.directory / "mutants").rglob("*.py.meta"):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].values()
        verdicts.update(status_by_exit_code[code] for code in codes)
    mutants = verdicts.total()
    return Figures(
        mutants=mutants,
        at_import=verdicts["skipped"],
        tried=mutants - verdicts["not checked"] - verdicts["skipped"],
        killed=verdicts["killed"],
        timed_out=verdicts["timeout"],
        unreached=verdicts["no tests"],
    )
