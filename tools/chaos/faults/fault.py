"""What one kind of trouble is: how it begins, how long it lasts, how it ends, and what it must meet to be any."""

import random
from collections.abc import Callable
from dataclasses import dataclass


End = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Trouble:
    """`begin` does it and returns what ends it, which in turn returns how many it met of what it `meets`.

    It lasts between so many seconds. What is ordered and meets nobody has tried nothing, and returns 0.
    """

    kind: str
    meets: str
    begin: Callable[[random.Random], End]
    least: float = 0.0
    most: float = 0.0
