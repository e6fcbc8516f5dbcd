"""The dimensions of a report, one for each group: the key, value and sort order of a piece of time in it."""

import operator
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from reports.piece_store import Piece
from reports.rules import Group
from reports.store import ReportPerson, WorkItemView


@dataclass(frozen=True, slots=True)
class Dimension:
    """`column` is the group's column in the sums of the database."""

    column: str
    key: Callable[[Piece], Hashable]
    value: Callable[[Piece], Any]
    order: Callable[[Any], tuple[Any, ...]]  # of a value; equal ones are sorted by key


def _order_of_project(project: tuple[str, str]) -> tuple[str, ...]:
    return tuple(name.casefold() for name in project)


def _order_of_person(person: ReportPerson) -> tuple[str, ...]:
    return person.display_name.casefold(), person.email


def _order_of_item(item: WorkItemView) -> tuple[int, str]:
    return item.id, item.organization


DIMENSIONS: Final = {
    Group.PROJECT: Dimension(
        "project_id",
        operator.attrgetter("project_id"),
        operator.attrgetter("project", "organization"),
        _order_of_project,
    ),
    Group.USER: Dimension("user_id", operator.attrgetter("user_id"), operator.attrgetter("user"), _order_of_person),
    Group.WORK_ITEM: Dimension(
        "work_item_id",
        operator.attrgetter("work_item.id", "work_item.organization"),
        operator.attrgetter("work_item"),
        _order_of_item,
    ),
    Group.DAY: Dimension("work_date", operator.attrgetter("date"), operator.attrgetter("date"), lambda date: (date,)),
}
