"""Reports in responses."""

import datetime as dt
from typing import Annotated, Self

from pydantic import Field

from reports import service
from reports.rules import Group
from reports.store import ReportPerson, SumRow, WorkItemView
from reports.title_service import RefusedItems, TitleCounts, TitleStatus, status_of
from shared.http.wire import ElapsedMs, WireModel


class ReportUser(WireModel):
    id: str
    display_name: str
    email: str

    @classmethod
    def of(cls, person: ReportPerson) -> Self:
        return cls(id=str(person.id), display_name=person.display_name, email=person.email)


class ReportWorkItem(WireModel):
    """The type is present once anybody has read the item; title, assignee and state, if you have.

    That is, if you have read the item with your own Azure DevOps token in the last 30 days; roles make no difference.
    """

    organization: str
    id: int
    type: str | None = None
    title: str | None = None
    assignee_name: str | None = None
    state: str | None = None
    title_status: TitleStatus = Field(
        description="`hidden`: Azure DevOps has just refused the item to your token; `notAsked`: you have not read it "
        "in the last 30 days"
    )

    @classmethod
    def of(cls, item: WorkItemView, refused: RefusedItems) -> Self:
        return cls(
            organization=item.organization,
            id=item.id,
            type=item.type,
            title=item.title,
            assignee_name=item.assignee_name,
            state=item.state,
            title_status=status_of(item, refused),
        )


class ReportRow(WireModel):
    organization: str | None = Field(None, description="the project's Azure DevOps organization")
    project: str | None = None
    user: ReportUser | None = None
    work_item: ReportWorkItem | None = None
    date: dt.date | None = None
    elapsed_ms: ElapsedMs
    entries: int = Field(description="each entry counts once, on its first day or on the report's first day")

    @classmethod
    def of(cls, row: SumRow, refused: RefusedItems) -> Self:
        return cls(
            organization=row.organization,
            project=row.project,
            user=None if row.user is None else ReportUser.of(row.user),
            work_item=None if row.work_item is None else ReportWorkItem.of(row.work_item, refused),
            date=row.date,
            elapsed_ms=row.elapsed_ms,
            entries=row.entries,
        )


UnknownMs = Annotated[
    ElapsedMs | None,
    Field(description="with `type`: time on work items of unknown type, not in the total"),
]


class ReportDay(WireModel):
    date: dt.date
    elapsed_ms: ElapsedMs


class ReportTitles(WireModel):
    """The numbers of the report's work items by `titleStatus`."""

    shown: int
    hidden: int
    not_asked: int

    @classmethod
    def of(cls, titles: TitleCounts) -> Self:
        return cls(shown=titles.shown, hidden=titles.hidden, not_asked=titles.not_asked)


class Report(WireModel):
    """`from` and `to` are the first and the last day of the report."""

    from_: dt.date = Field(serialization_alias="from", validation_alias="from")
    to: dt.date
    time_zone: str
    group_by: list[Group]
    rows: list[ReportRow]
    days: list[ReportDay]
    total_ms: ElapsedMs
    unknown_ms: UnknownMs = None
    titles: ReportTitles | None = Field(None, description="present if the report is grouped by work item")

    @classmethod
    def of(cls, report: service.Report) -> Self:
        return cls.model_validate(
            {
                "from": report.span.first,
                "to": report.span.last,
                "time_zone": report.time_zone,
                "group_by": list(report.groups),
                "rows": [ReportRow.of(row, report.refused) for row in report.rows],
                "days": [ReportDay(date=date, elapsed_ms=ms) for date, ms in report.days],
                "total_ms": report.total_ms,
                "unknown_ms": report.unknown_ms,
                "titles": None if report.titles is None else ReportTitles.of(report.titles),
            }
        )


class WeekRow(WireModel):
    """`days` are all seven days, in order."""

    user: ReportUser
    days: list[ReportDay]
    total_ms: ElapsedMs


class WeekReport(WireModel):
    """A timesheet of all people with time; `week` is present if the seven days are a week of ISO 8601."""

    from_: dt.date = Field(serialization_alias="from", validation_alias="from")
    to: dt.date
    week: str | None = None
    time_zone: str
    rows: list[WeekRow]
    days: list[ReportDay]
    total_ms: ElapsedMs
    unknown_ms: UnknownMs = None

    @classmethod
    def of(cls, timesheet: service.Timesheet) -> Self:
        def to_days(times: tuple[int, ...]) -> list[ReportDay]:
            return [ReportDay(date=day, elapsed_ms=ms) for day, ms in zip(timesheet.span, times, strict=True)]

        rows = [
            WeekRow(user=ReportUser.of(row.user), days=to_days(row.days), total_ms=sum(row.days))
            for row in timesheet.rows
        ]
        return cls.model_validate(
            {
                "from": timesheet.span.first,
                "to": timesheet.span.last,
                "week": timesheet.span.name if timesheet.span.is_iso_week else None,
                "time_zone": timesheet.time_zone,
                "rows": rows,
                "days": to_days(timesheet.days),
                "total_ms": sum(timesheet.days),
                "unknown_ms": timesheet.unknown_ms,
            }
        )
