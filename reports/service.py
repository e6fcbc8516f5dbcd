"""Adds time up over days: rows by group, days, and a total that always agrees with both."""

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from reports import piece_store, store, sum_store, title_service, title_store
from reports.piece_store import Piece
from reports.rules import Group, Span
from reports.store import Asked, Person, Row, Somebody, Unknown, WorkItem
from reports.title_service import NONE_REFUSED, Refused, Titles
from shared import audit
from shared.audit import Action
from shared.errors import InvalidRequest, NotFound
from shared.tenancy.model import Caller
from shared.tenancy.rules import processing_restricted
from shared.work import Actor


MOST_ROWS: Final = 50_000
MOST_PIECES: Final = 250_000  # more would take a workbook longer than the platform waits


@dataclass(frozen=True, slots=True)
class Report:
    """`unknown_ms` is the time on work items of unknown type, not in the total; None where no type is asked for.

    `refused` are the work items that Azure DevOps has just refused to the reader.
    """

    span: Span
    time_zone: str
    groups: tuple[Group, ...]
    rows: list[Row]
    days: list[tuple[dt.date, int]]
    unknown_ms: int | None = None
    refused: Refused = NONE_REFUSED

    @property
    def total_ms(self) -> int:
        return sum(ms for _, ms in self.days)

    @property
    def titles(self) -> Titles | None:
        """None where the rows are about no work items."""
        if Group.WORK_ITEM not in self.groups:
            return None
        return title_service.count(title_service.each_once(self.rows), self.refused)


@dataclass(frozen=True, slots=True)
class PersonWeek:
    """One line of a timesheet: milliseconds of each of the seven days."""

    user: Person
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """`unknown_ms` as in a report; where unknown types are listed, `unknown_rows` are theirs."""

    span: Span
    time_zone: str
    rows: list[PersonWeek]
    unknown_rows: list[PersonWeek]
    unknown_ms: int | None = None

    @property
    def days(self) -> tuple[int, ...]:
        return tuple(sum(row.days[number] for row in self.rows) for number, _ in enumerate(self.span))


def whose(tx: sa.Connection, caller: Caller, wanted: uuid.UUID | None, *, everyone: bool) -> Somebody:
    """The person with this id.

    Raises:
        NotFound: nobody in the tenant has it, or the caller may see no one but themselves.
        Forbidden: the person has had the processing of their data stopped.
    """
    if wanted == caller.user.public_id:
        return Somebody(caller.user.id, caller.user.display_name)
    found = store.find_user(tx, caller.tenant.id, wanted) if everyone and wanted is not None else None
    if found is None:
        raise NotFound("There is no such person in your organisation.")
    if found.restricted_since is not None:
        raise processing_restricted()
    return found


def report(
    tx: sa.Connection, caller: Caller, asked: Asked, groups: tuple[Group, ...], refused: Refused = NONE_REFUSED
) -> Report:
    """The time of some days by every combination of the groups.

    Raises:
        InvalidRequest: it has more rows than anybody could look at.
    """
    sums = sum_store.read(tx, asked, groups, most=MOST_ROWS + 1)
    rows = list(sums.rows)
    if len(rows) > MOST_ROWS:
        raise _too_large(
            f"This report has more than {MOST_ROWS:,} rows. Ask for fewer days, group by less, or take csv."
        )
    unknown_ms = _unknown_ms(asked, sums.unknown_ms)
    return Report(asked.span, caller.tenant.time_zone, groups, rows, sums.days, unknown_ms, refused)


def lines(tx: sa.Connection, asked: Asked, groups: tuple[Group, ...]) -> Iterator[Row]:
    """The rows of a report of any length, as the database hands them out."""
    return sum_store.read(tx, asked, groups).rows


def week(tx: sa.Connection, caller: Caller, asked: Asked) -> Week:
    """A timesheet: everybody who worked in these seven days, by day."""
    sums = sum_store.read(tx, asked, (Group.USER, Group.DAY))
    of_type: list[Row] = []
    unknown: list[Row] = []
    for row in sums.rows:
        (of_type if row.type_known else unknown).append(row)
    return Week(
        asked.span,
        caller.tenant.time_zone,
        grid(asked.span, of_type),
        grid(asked.span, unknown),
        _unknown_ms(asked, sums.unknown_ms),
    )


def grid(span: Span, rows: Iterable[Row]) -> list[PersonWeek]:
    """Rows by person and day, those of a person together, as lines that have every day."""
    found = []
    for person, of_person in itertools.groupby(rows, lambda row: row.user):
        by_date = {row.date: row.elapsed_ms for row in of_person}
        if person is not None:
            found.append(PersonWeek(person, tuple(by_date.get(day, 0) for day in span)))
    return found


def alike(tx: sa.Connection, asked: Asked, *, by_name_alone: bool) -> frozenset[uuid.UUID]:
    """The ids of people who would look like somebody else in a file."""
    return store.alike(tx, asked.tenant_id, by_name_alone=by_name_alone)


def pieces(tx: sa.Connection, asked: Asked, refused: Refused = NONE_REFUSED) -> tuple[Titles, Iterator[Piece]]:
    """Of how many work items titles are shown, and every piece of time asked for, oldest first, as it comes.

    Raises:
        InvalidRequest: there are more than a workbook can be made of while the caller waits.
    """
    count = piece_store.count(tx, asked)
    if count > MOST_PIECES:
        raise _too_large(
            f"This workbook would list {count:,} entries, and {MOST_PIECES:,} is the most. Ask for fewer days, filter "
            "by project or person, or take csv."
        )
    shown: dict[tuple[str, int], WorkItem] = {}
    titles = title_service.count(_listed(tx, asked, shown), refused)
    return titles, piece_store.read(tx, asked, shown)


def _listed(tx: sa.Connection, asked: Asked, shown: dict[tuple[str, int], WorkItem]) -> Iterator[WorkItem]:
    """The work items that a list shows, as they come; those whose titles are shown are kept in the mapping."""
    for item in title_store.items(tx, asked):
        if asked.type is None or item.type is not None:
            if item.title is not None:
                shown[item.organization, item.id] = item
            yield item


def record_export(
    tx: sa.Connection, caller: Caller, span: Span, *, file_format: str, now: dt.datetime, row_id: uuid.UUID
) -> None:
    """Puts on record that somebody took a report out."""
    audit.record_row(
        tx,
        caller.tenant.id,
        Action.REPORT_EXPORTED,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=row_id,
        after={"from": span.first, "to": span.last, "format": file_format},
    )


def _unknown_ms(asked: Asked, found: int) -> int | None:
    return None if asked.type is None or asked.unknown is Unknown.LEFT_OUT else found


def _too_large(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, code="report_too_large")
