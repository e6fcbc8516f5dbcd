"""The query parameters of the reports."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from reports.rules import MOST_DAYS, Group, Span, parse_day
from shared.http.csv_options import CsvOptions
from shared.http.wire import Flag, Text64, Text128
from timers import Organization


def _parsed(parse: Callable[[str], Any], expected: str) -> PlainValidator:
    def validate(value: Any) -> Any:  # noqa: ANN401 - before validation
        try:
            return parse(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"must be {expected}") from error

    return PlainValidator(validate)


def _parse_groups(value: str) -> tuple[Group, ...]:
    groups = tuple(Group(word.strip()) for word in value.split(","))
    if len(set(groups)) < len(groups):
        raise ValueError("a group is there twice")
    return groups


MonthText = Annotated[
    Span,
    _parsed(Span.month, "a month like 2026-11"),
    WithJsonSchema({"type": "string", "pattern": "^2[0-9]{3}-(0[1-9]|1[0-2])$", "examples": ["2026-11"]}),
]
WeekText = Annotated[
    Span,
    _parsed(Span.week, "an existing week, like 2026-W48"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^2[0-9]{3}-W(0[1-9]|[1-4][0-9]|5[0-3])$",
            "description": "a week of ISO 8601, like 2026-W48",
        }
    ),
]
DateText = Annotated[
    dt.date, _parsed(parse_day, "a day like 2026-11-23"), WithJsonSchema({"type": "string", "format": "date"})
]
Groups = Annotated[
    tuple[Group, ...],
    _parsed(_parse_groups, "one or more of project, user, workItem, day, each once, separated by commas"),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "enum": [group.value for group in Group]},
            "minItems": 1,
            "uniqueItems": True,
            "description": "groups of the rows, separated by commas; rows are sorted in this order",
        }
    ),
]


class _ReportFilters(CsvOptions):
    organization: Organization | None = Field(None, description="only projects of this Azure DevOps organization")
    project: Text64 | None = Field(None, description="only projects of this name, and projects that are one with them")
    user: str | None = Field(None, description="id of a person, or `me`; only their time")
    type: Text128 | None = Field(None, description="only work items of this type, like Bug")
    include_unknown: Flag = Field(
        default=True,
        description="with `type`: whether to show the time on work items of unknown type, beside the total",
    )
    format: Literal["json", "csv", "xlsx"] | None = Field(
        None, description="json, csv or xlsx; instead of an Accept header"
    )
    variant: Literal["customer"] | None = Field(
        None,
        description="of a workbook, for a customer: without addresses, seconds and pseudonyms",
    )


class _GroupedQuery(_ReportFilters):
    group_by: Groups = Field((Group.PROJECT,), json_schema_extra={"default": [Group.PROJECT.value]})

    @property
    def has_people(self) -> bool:
        """Whether it is grouped by person."""
        return Group.USER in self.group_by

    @property
    def has_work_items(self) -> bool:
        """Whether it is grouped by work item."""
        return Group.WORK_ITEM in self.group_by


class MonthReportQuery(_GroupedQuery):
    month: MonthText

    @property
    def span(self) -> Span:
        return self.month


class SummaryReportQuery(_GroupedQuery):
    from_: DateText = Field(validation_alias="from", serialization_alias="from")
    to: DateText = Field(json_schema_extra={"description": f"the last day; the report has at most {MOST_DAYS} days"})

    @field_validator("to")
    @classmethod
    def _is_a_span(cls, to: dt.date, info: ValidationInfo) -> dt.date:
        first = info.data.get("from_", to)
        if to < first:
            raise ValueError("must not be before from")
        if (to - first).days >= MOST_DAYS:
            raise ValueError(f"must be at most {MOST_DAYS} days from the first")
        return to

    @property
    def span(self) -> Span:
        return Span.days(self.from_, self.to)


class WeekReportQuery(_ReportFilters):
    has_people: ClassVar = True
    has_work_items: ClassVar = False

    from_: DateText | None = Field(
        None,
        validation_alias="from",
        serialization_alias="from",
        json_schema_extra={"description": "instead of week: the first of seven days, on any weekday"},
    )
    week: WeekText | None = Field(None, validate_default=True)

    @field_validator("week")
    @classmethod
    def _is_one_of_the_two(cls, week: Span | None, info: ValidationInfo) -> Span | None:
        if "from_" in info.data and (week is None) == (info.data["from_"] is None):
            raise ValueError("must be given if from is not, and only then")
        return week

    @property
    def span(self) -> Span:
        if self.week is not None:
            return self.week
        assert self.from_ is not None  # noqa: S101 - one of them is given
        return Span.seven_days(self.from_)


AnyReportQuery = MonthReportQuery | SummaryReportQuery | WeekReportQuery
