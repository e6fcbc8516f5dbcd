"""Sums time over days: rows by group, days, and a total that agrees with both."""

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from reports import piece_store, store, sum_store, title_service, title_store
from reports.piece_store import Piece
from reports.rules import Group, Span
from reports.store import ReportPerson, ReportQuery, SumRow, UnknownTypes, WorkItemView
from reports.title_service import NO_REFUSED_ITEMS, RefusedItems, TitleCounts
from shared import audit
from shared.audit import Action
from shared.errors import InvalidRequest
from shared.work import Work


MOST_ROWS: Final = 50_000
MOST_PIECES: Final = 250_000  # a larger workbook would take longer than the platform's time limit


@dataclass(frozen=True, slots=True)
class Report:
    """`unknown_ms` is the time on work items of unknown type, not in the total; None without a filter by type.

    `refused` are the work items that Azure DevOps has just refused to the viewer.
    """

    span: Span
    time_zone: str
    groups: tuple[Group, ...]
    rows: list[SumRow]
    days: list[tuple[dt.date, int]]
    unknown_ms: int | None = None
    refused: RefusedItems = NO_REFUSED_ITEMS

    @property
    def total_ms(self) -> int:
        return sum(ms for _, ms in self.days)

    @property
    def titles(self) -> TitleCounts | None:
        """None if the report is not grouped by work item."""
        if Group.WORK_ITEM not in self.groups:
            return None
        return title_service.count(title_service.distinct_items(self.rows), self.refused)


@dataclass(frozen=True, slots=True)
class PersonWeek:
    """A row of a timesheet: the milliseconds of each of the seven days."""

    user: ReportPerson
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timesheet:
    """`unknown_ms` as in a report; `unknown_rows` have the time on work items of unknown type, if it is listed."""

    span: Span
    time_zone: str
    rows: list[PersonWeek]
    unknown_rows: list[PersonWeek]
    unknown_ms: int | None = None

    @property
    def days(self) -> tuple[int, ...]:
        return tuple(sum(row.days[number] for row in self.rows) for number, _ in enumerate(self.span))


def build_report(
    work: Work, query: ReportQuery, groups: tuple[Group, ...], refused: RefusedItems = NO_REFUSED_ITEMS
) -> Report:
    """The time of a span by each combination of the groups.

    Raises:
        InvalidRequest: there are too many rows.
    """
    sums = sum_store.read(work.tx, work.tenant.id, query, groups, limit=MOST_ROWS + 1)
    rows = list(sums.rows)
    if len(rows) > MOST_ROWS:
        raise _too_large(
            f"This report has more than {MOST_ROWS:,} rows. Choose fewer days or groups, or export it as CSV."
        )
    unknown_ms = _unknown_ms(query, sums.unknown_ms)
    return Report(query.span, work.tenant.time_zone, groups, rows, sums.days, unknown_ms, refused)


def read_rows(work: Work, query: ReportQuery, groups: tuple[Group, ...]) -> Iterator[SumRow]:
    """The rows of a report of any size, streamed in batches."""
    return sum_store.read(work.tx, work.tenant.id, query, groups).rows


def build_timesheet(work: Work, query: ReportQuery) -> Timesheet:
    """The people with time in seven days, by day."""
    sums = sum_store.read(work.tx, work.tenant.id, query, (Group.USER, Group.DAY))
    of_type: list[SumRow] = []
    unknown: list[SumRow] = []
    for row in sums.rows:
        (of_type if row.type_known else unknown).append(row)
    return Timesheet(
        query.span,
        work.tenant.time_zone,
        to_person_weeks(query.span, of_type),
        to_person_weeks(query.span, unknown),
        _unknown_ms(query, sums.unknown_ms),
    )


def to_person_weeks(span: Span, rows: Iterable[SumRow]) -> list[PersonWeek]:
    """Rows by person and day, sorted by person, as one row for each person with all days."""
    weeks = []
    for person, of_person in itertools.groupby(rows, lambda row: row.user):
        by_date = {row.date: row.elapsed_ms for row in of_person}
        if person is not None:
            weeks.append(PersonWeek(person, tuple(by_date.get(day, 0) for day in span)))
    return weeks


def find_alike(work: Work, *, by_name_alone: bool) -> frozenset[uuid.UUID]:
    """The ids of people who would look like somebody else in a file."""
    return store.find_alike(work.tx, work.tenant.id, by_name_alone=by_name_alone)


def read_pieces(
    work: Work, query: ReportQuery, refused: RefusedItems = NO_REFUSED_ITEMS
) -> tuple[TitleCounts, Iterator[Piece]]:
    """The numbers of visible titles, and the pieces of time, oldest first, streamed in batches.

    Raises:
        InvalidRequest: there are too many pieces for a workbook.
    """
    count = piece_store.count(work.tx, work.tenant.id, query)
    if count > MOST_PIECES:
        raise _too_large(
            f"This workbook would list {count:,} entries; the limit is {MOST_PIECES:,}. Choose fewer days, one project "
            "or one person, or export CSV."
        )
    visible: dict[tuple[str, int], WorkItemView] = {}
    titles = title_service.count(_read_items(work, query, visible), refused)
    return titles, piece_store.read(work.tx, work.tenant.id, query, visible)


def _read_items(work: Work, query: ReportQuery, visible: dict[tuple[str, int], WorkItemView]) -> Iterator[WorkItemView]:
    """The work items of a list; those with visible titles are added to `visible`."""
    for item in title_store.read_items(work.tx, work.tenant.id, query):
        if query.type is None or item.type is not None:
            if item.title is not None:
                visible[item.organization, item.id] = item
            yield item


def record_export(work: Work, span: Span, *, file_format: str) -> None:
    """Records the export of a report in the audit log."""
    audit.record(work, Action.REPORT_EXPORTED, after={"from": span.first, "to": span.last, "format": file_format})


def _unknown_ms(query: ReportQuery, sum_ms: int) -> int | None:
    return None if query.type is None or query.unknown is UnknownTypes.LEFT_OUT else sum_ms


def _too_large(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, code="report_too_large")
