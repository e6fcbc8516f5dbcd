"""Counts what became of the mutants of a part, from the files that mutmut keeps beside the code."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutmut.stats import status_by_exit_code

from tools.mutants.parts import Part


_UNNOTICED: Final = {"survived", "no tests"}


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
    for path in _kept(part):
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


def forget_survivors(part: Part) -> None:
    """Makes what no test noticed untried, so that the next run tries it: mutmut sees no change of tests."""
    for path in _kept(part):
        kept = json.loads(path.read_text(encoding="utf-8"))
        codes = kept["exit_code_by_key"]
        kept["exit_code_by_key"] = {
            name: None if status_by_exit_code[code] in _UNNOTICED else code for name, code in codes.items()
        }
        path.write_text(json.dumps(kept), encoding="utf-8")


def _kept(part: Part) -> Iterable[Path]:
    return (part.directory / "mutants").rglob("*.py.meta")
