"""A violation, with the lines of history and log that show it."""

import datetime as dt
from dataclasses import dataclass

from tools.chaos.checks.database import LogRow
from tools.chaos.clients.history import History, Operation


@dataclass(frozen=True, slots=True)
class Violation:
    """`kind` is lost, doubled, invented, changed, refused, failed or invariant."""

    kind: str
    detail: str
    lines: tuple[str, ...] = ()


def build_violation(history: History, kind: str, detail: str, *about: Operation | LogRow | str) -> Violation:
    """A violation with the lines about it, and with the person's other operations on the same timers."""
    keys = [each.timer if isinstance(each, LogRow) else each for each in about if not isinstance(each, Operation)]
    lines = [each if isinstance(each, str) else each.describe() for each in about]
    related = [each.describe() for each in history.find_related(*keys)] if keys else []
    return Violation(kind, detail, tuple(dict.fromkeys([*lines, *related])))


def are_equal(one: object, other: object) -> bool:
    """Whether two values are equal; the same time may have several spellings."""
    if isinstance(one, str) and isinstance(other, str):
        return dt.datetime.fromisoformat(one) == dt.datetime.fromisoformat(other)
    return one == other
