"""One kind of fault: its start, its duration, its end, and the affected things."""

import random
from collections.abc import Callable
from dataclasses import dataclass


End = Callable[[], int]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """`begin` starts the fault and returns a function that ends it.

    That function returns the affected count, in units of `affects`; 0 is a fault without effect.
    """

    kind: str
    affects: str
    begin: Callable[[random.Random], End]
    min_seconds: float = 0.0
    max_seconds: float = 0.0
