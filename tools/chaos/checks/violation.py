"""A promise that was broken, and the lines of the history and the log that show it."""

import datetime as dt
from dataclasses import dataclass

from tools.chaos.checks.database import Row
from tools.chaos.clients.history import History, Operation


@dataclass(frozen=True, slots=True)
class Violation:
    """`what` is lost, doubled, invented, changed, refused, failed or invariant."""

    what: str
    detail: str
    lines: tuple[str, ...] = ()


def violation(history: History, what: str, detail: str, *about: Operation | Row | str) -> Violation:
    """With what it is about, and what else the person did to the same timers."""
    named = [each.timer if isinstance(each, Row) else each for each in about if not isinstance(each, Operation)]
    lines = [each if isinstance(each, str) else each.told() for each in about]
    near = [each.told() for each in history.near(*named)] if named else []
    return Violation(what, detail, tuple(dict.fromkeys([*lines, *near])))


def same(one: object, other: object) -> bool:
    """Whether two values are equal; instants may be written in more than one way."""
    if isinstance(one, str) and isinstance(other, str):
        return dt.datetime.fromisoformat(one) == dt.datetime.fromisoformat(other)
    return one == other
