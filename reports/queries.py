"""What a report is asked for with."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from reports.rules import MOST_DAYS, Group, Span, date
from shared.http.csv_options import CsvOptions
from shared.http.wire import Text64, Text128
from timers import Organization


def _parsed(parse: Callable[[str], Any], wanted: str) -> PlainValidator:
    def validate(value: Any) -> Any:  # noqa: ANN401 - whatever pydantic is handed before it validates
        try:
            return parse(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"must be {wanted}") from error

    return PlainValidator(validate)


def _groups(value: str) -> tuple[Group, ...]:
    groups = tuple(Group(word.strip()) for word in value.split(","))
    if len(set(groups)) < len(groups):
        raise ValueError("twice")
    return groups


_WORDS: Final = "project|user|workItem|day"
MonthText = Annotated[
    Span,
    _parsed(Span.month, "a month like 2026-11"),
    WithJsonSchema({"type": "string", "pattern": "^2[0-9]{3}-(0[1-9]|1[0-2])$", "examples": ["2026-11"]}),
]
WeekText = Annotated[
    Span,
    _parsed(Span.week, "a week of a year that has it, like 2026-W48"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^2[0-9]{3}-W(0[1-9]|[1-4][0-9]|5[0-3])$",
            "description": "a week of ISO 8601, like 2026-W48",
        }
    ),
]
DateText = Annotated[
    dt.date, _parsed(date, "a day like 2026-11-23"), WithJsonSchema({"type": "string", "format": "date"})
]
Groups = Annotated[
    tuple[Group, ...],
    _parsed(_groups, "one or more of project, user, workItem, day, each once, separated by commas"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({_WORDS})(,({_WORDS})){{0,3}}$",
            "description": "any of project, user, workItem, day, separated by commas; rows come in this order",
        }
    ),
]


class Filters(CsvOptions):
    organization: Organization | None = Field(None, description="only projects of this Azure DevOps organization")
    project: Text64 | None = Field(None, description="only the project of this name, and those that count as it")
    user: str | None = Field(None, description="only the person with this id")
    type: Text128 | None = Field(None, description="only work items of this type, like Bug")
    include_unknown: bool = Field(
        default=True,
        description="with `type`: whether the time on work items whose type nobody has read yet is told: in JSON as "
        "`unknownMs`, in a workbook as a line of its head, in CSV as rows that say no under Type known",
    )
    format: Literal["json", "csv", "xlsx"] | None = Field(
        None, description="json, csv or xlsx; an Accept header says the same"
    )
    variant: Literal["customer"] | None = Field(
        None,
        description="of a workbook, to be given to a customer: without addresses, seconds and pseudonyms of erased "
        "people, and without the columns Source and Needs review",
    )


class _Grouped(Filters):
    group_by: Groups = Field((Group.PROJECT,), json_schema_extra={"default": "project"})

    @property
    def has_people(self) -> bool:
        """Its rows are about people."""
        return Group.USER in self.group_by

    @property
    def has_work_items(self) -> bool:
        """Its rows are about work items."""
        return Group.WORK_ITEM in self.group_by


class MonthReportQuery(_Grouped):
    month: MonthText

    @property
    def span(self) -> Span:
        return self.month


class SummaryReportQuery(_Grouped):
    from_: DateText = Field(validation_alias="from", serialization_alias="from")
    to: DateText = Field(json_schema_extra={"description": f"the last day, at most {MOST_DAYS} days in all"})

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


class WeekReportQuery(Filters):
    has_people: ClassVar = True
    has_work_items: ClassVar = False

    from_: DateText | None = Field(
        None,
        validation_alias="from",
        serialization_alias="from",
        json_schema_extra={"description": "instead of week: the first of seven days, of any weekday"},
    )
    week: WeekText | None = Field(None, validate_default=True)

    @field_validator("week")
    @classmethod
    def _is_one_of_the_two(cls, week: Span | None, info: ValidationInfo) -> Span | None:
        if "from_" in info.data and (week is None) == (info.data["from_"] is None):
            raise ValueError("must be given where from is not, and only there")
        return week

    @property
    def span(self) -> Span:
        if self.week is not None:
            return self.week
        assert self.from_ is not None  # noqa: S101 - one of the two is given
        return Span.seven_days(self.from_)


Query = MonthReportQuery | SummaryReportQuery | WeekReportQuery
