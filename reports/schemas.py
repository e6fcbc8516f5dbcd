"""What a report is asked for with, and its shape on the wire."""

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema

from reports import service
from reports.rules import Group, Month
from reports.store import Person
from shared.http.wire import ElapsedMs, WireModel


def _month(value: Any) -> Month:  # noqa: ANN401 - whatever pydantic is handed before it validates
    try:
        return Month.of(value)
    except (TypeError, ValueError) as error:
        raise ValueError("must be a month like 2026-11") from error


def _groups(value: Any) -> Any:  # noqa: ANN401 - whatever pydantic is handed before it validates
    words = [word.strip() for word in value.split(",")] if isinstance(value, str) else value
    known = {group.value: group for group in Group}
    if not words or len(set(words)) < len(words) or not set(words) <= known.keys():
        raise ValueError(f"must be one or more of {', '.join(known)}, each once, separated by commas")
    return tuple(known[word] for word in words)


MonthText = Annotated[
    Month,
    PlainValidator(_month),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$", "examples": ["2026-11"]}),
]
Groups = Annotated[
    tuple[Group, ...],
    PlainValidator(_groups),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(project|user|workItem|day)(,(project|user|workItem|day)){0,3}$",
            "description": "any of project, user, workItem, day, separated by commas",
        }
    ),
]


class MonthReportQuery(WireModel):
    month: MonthText
    group_by: Groups = Field((Group.PROJECT,), json_schema_extra={"default": "project"})
    format: Literal["json", "csv"] | None = Field(None, description="json or csv; Accept: text/csv says the same")


class ReportUser(WireModel):
    id: str
    display_name: str
    email: str

    @classmethod
    def of(cls, person: Person) -> Self:
        return cls(id=str(person.id), display_name=person.display_name, email=person.email)


class ReportWorkItem(WireModel):
    id: int


class ReportRow(WireModel):
    project: str | None = None
    user: ReportUser | None = None
    work_item: ReportWorkItem | None = None
    date: dt.date | None = None
    elapsed_ms: ElapsedMs
    entries: int

    @classmethod
    def of(cls, row: service.Row) -> Self:
        person = row.user
        return cls(
            project=row.project,
            user=None if person is None else ReportUser.of(person),
            work_item=None if row.work_item is None else ReportWorkItem(id=row.work_item),
            date=row.date,
            elapsed_ms=row.elapsed_ms,
            entries=row.entries,
        )


class ReportDay(WireModel):
    date: dt.date
    elapsed_ms: ElapsedMs


class Report(WireModel):
    """`from` and `to` are the first and the last day, both in the report."""

    from_: dt.date = Field(serialization_alias="from", validation_alias="from")
    to: dt.date
    time_zone: str
    group_by: list[Group]
    rows: list[ReportRow]
    days: list[ReportDay]
    total_ms: ElapsedMs

    @classmethod
    def of(cls, report: service.Report) -> Self:
        return cls.model_validate(
            {
                "from": report.month.first,
                "to": report.month.last,
                "time_zone": report.time_zone,
                "group_by": list(report.groups),
                "rows": [ReportRow.of(row) for row in report.rows],
                "days": [ReportDay(date=date, elapsed_ms=ms) for date, ms in report.days],
                "total_ms": report.total_ms,
            }
        )
