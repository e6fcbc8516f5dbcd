"""A report as a table for a spreadsheet."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from reports.rules import Group
from reports.service import Report, Row
from shared.spreadsheet import to_csv


Cells = Callable[[Row], Iterable[str | int]]
_MS_PER_HOUR: Final = 3_600_000


def _project(row: Row) -> Iterable[str | int]:
    return [row.project or ""]


def _user(row: Row) -> Iterable[str | int]:
    return [row.user.display_name, row.user.email] if row.user else ["", ""]


def _work_item(row: Row) -> Iterable[str | int]:
    return [row.work_item or ""]


def _day(row: Row) -> Iterable[str | int]:
    return [row.date.isoformat() if row.date else ""]


_COLUMNS: Final[dict[Group, tuple[tuple[str, ...], Cells]]] = {
    Group.PROJECT: (("Project",), _project),
    Group.USER: (("Person", "E-mail"), _user),
    Group.WORK_ITEM: (("Work item",), _work_item),
    Group.DAY: (("Date",), _day),
}


def hours(elapsed_ms: int) -> str:
    """Decimal hours to four places; the milliseconds beside them are exact."""
    return f"{Decimal(elapsed_ms) / _MS_PER_HOUR:.4f}"


def month_csv(report: Report) -> bytes:
    chosen = [_COLUMNS[group] for group in report.groups]
    header = [title for titles, _ in chosen for title in titles]
    rows = (
        [cell for _, cells in chosen for cell in cells(row)] + [hours(row.elapsed_ms), row.elapsed_ms, row.entries]
        for row in report.rows
    )
    return to_csv([*header, "Hours", "Milliseconds", "Entries"], rows)
