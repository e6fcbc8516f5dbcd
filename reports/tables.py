"""A report as a table of text: its columns by group, and the timesheet's."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from reports.rules import Group
from reports.service import Week
from reports.store import Row
from shared.spreadsheet import to_csv


Cells = Callable[[Row], Iterable[str | int]]
_MS_PER_HOUR: Final = 3_600_000


def _project(row: Row) -> Iterable[str | int]:
    return [row.project or ""]


def _user(row: Row) -> Iterable[str | int]:
    return [row.user.display_name, row.user.email] if row.user else ["", ""]


def _work_item(row: Row) -> Iterable[str | int]:
    item = row.work_item
    if item is None:
        return [""] * 5
    return [item.id, item.type or "", item.title or "", item.assignee_name or "", item.state or ""]


def _day(row: Row) -> Iterable[str | int]:
    return [row.date.isoformat() if row.date else ""]


_COLUMNS: Final[dict[Group, tuple[tuple[str, ...], Cells]]] = {
    Group.PROJECT: (("Project",), _project),
    Group.USER: (("Person", "E-mail"), _user),
    Group.WORK_ITEM: (("Work item", "Type", "Title", "Assignee", "State"), _work_item),
    Group.DAY: (("Date",), _day),
}


def titles(groups: Iterable[Group]) -> list[str]:
    return [title for group in groups for title in _COLUMNS[group][0]]


def hours(elapsed_ms: int) -> str:
    """Decimal hours to four places; the milliseconds beside them are exact."""
    return f"{Decimal(elapsed_ms) / _MS_PER_HOUR:.4f}"


def report_csv(groups: tuple[Group, ...], rows: Iterable[Row]) -> bytes:
    """A line for every row, without totals, so that whoever adds a column up counts nothing twice."""
    chosen = [_COLUMNS[group][1] for group in groups]
    lines = (
        [cell for cells in chosen for cell in cells(row)] + [hours(row.elapsed_ms), row.elapsed_ms, row.entries]
        for row in rows
    )
    return to_csv([*titles(groups), "Hours", "Milliseconds", "Entries"], lines)


def week_csv(week: Week) -> bytes:
    """A line for every person, with the hours of each day."""
    dates = [day.isoformat() for day in week.span]
    lines: Iterable[list[str | int]] = (
        [row.user.display_name, row.user.email, *map(hours, row.days), hours(sum(row.days)), sum(row.days)]
        for row in week.rows
    )
    return to_csv(["Person", "E-mail", *dates, "Hours", "Milliseconds"], lines)
