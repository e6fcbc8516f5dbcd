"""The base of every request and response model, and their common field types."""

import datetime as dt
import re
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from shared.errors import ApiError
from shared.instants import YEARS, parse_rfc3339, rfc3339
from shared.text import is_blank


class WireModel(BaseModel):
    """camelCase in JSON. Unknown fields, coerced types, NaN and infinities are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        strict=True,
    )

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)


class NoFields(WireModel):
    """An empty object, or no body at all."""


# The part of the checks below that JSON Schema can express; regular expressions differ on Unicode blanks and lines.
_LINE: Final = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"
_LINES: Final = r"^(\r\n|[^\x00-\x08\x0b-\x1f])*$"


def json_schema_pattern(pattern: re.Pattern[str]) -> str:
    """The pattern with JavaScript's anchors, as JSON Schema needs them."""
    return pattern.pattern.replace(r"\A", "^").replace(r"\Z", "$")


def _visible(value: str) -> str:
    if is_blank(value):
        raise ValueError("must not be blank")
    if any(ord(character) < ord(" ") and character not in "\t\n" for character in value):
        raise ValueError("must not contain control characters")
    return value.strip()


def _unix_lines(value: str) -> str:
    return value.replace("\r\n", "\n")


def _one_line(value: str) -> str:
    if any(character in "\t\n\x85\u2028\u2029" for character in value):
        raise ValueError("must be one line")
    if any("\x7f" <= character <= "\x9f" for character in value):
        raise ValueError("must not contain control characters")
    return value


def _length(limit: int, pattern: str) -> Any:  # noqa: ANN401 - Field() returns Any
    return Field(min_length=1, max_length=limit, json_schema_extra={"pattern": pattern})


def _fits(value: str, limit: int) -> str:
    """Counts UTF-16 units, as Azure SQL does for the length of a column."""
    if len(value.encode("utf-16-le")) // 2 > limit:
        raise ValueError(f"must have at most {limit} characters")
    return value


def _line(limit: int) -> AfterValidator:
    return AfterValidator(lambda value: _one_line(_fits(_visible(value), limit)))


def _lines(limit: int) -> AfterValidator:
    return AfterValidator(lambda value: _fits(_visible(_unix_lines(value)), limit))


# Text that is not blank
Text64 = Annotated[str, _length(64, _LINE), _line(64)]
Text128 = Annotated[str, _length(128, _LINE), _line(128)]
Text320 = Annotated[str, _length(320, _LINE), _line(320)]
Name = Annotated[str, _length(200, _LINE), _line(200)]
Note = Annotated[str, _length(400, _LINES), _lines(400)]
Reason = Note


_DATE: Final = re.compile(r"\A\d{4}-\d\d-\d\d\Z", re.ASCII)


def parse_date(value: Any) -> dt.date:  # noqa: ANN401 - input before validation
    """A day written YYYY-MM-DD.

    Raises:
        ValueError: it is written otherwise, or is before the year 2000.
    """
    try:
        if isinstance(value, str) and _DATE.match(value):
            date = dt.date.fromisoformat(value)
            if date.year in YEARS:
                return date
    except ValueError:
        pass
    raise ValueError("must be a date from the year 2000 on, like 2026-11-23")


def _parse_flag(value: Any) -> bool:  # noqa: ANN401 - input before validation
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return bool(value == "true")


InstantInput = Annotated[
    dt.datetime,
    PlainValidator(parse_rfc3339),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T09:30:00Z"]}),
]
DateInput = Annotated[
    dt.date,
    PlainValidator(parse_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-23"]}),
]
# A boolean in a query. Pydantic's own also accepts words such as yes and 1.
Flag = Annotated[bool, PlainValidator(_parse_flag), WithJsonSchema({"type": "boolean"})]
Instant = Annotated[
    dt.datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time", "examples": ["2026-11-23T09:30:00.000Z"]}),
]
ElapsedMs = Annotated[int, Field(ge=0, description="whole milliseconds")]


def allow_null(schema: dict[str, Any]) -> None:
    """For the `json_schema_extra` of an optional field: shows that null has a meaning of its own."""
    schema.pop("default")


class PersonName(WireModel):
    """A person in a list, with the present name; an erased person has a pseudonym."""

    id: str
    display_name: str | None = Field(None, description="absent while the processing of the person's data is stopped")


class FieldProblem(WireModel):
    pointer: str
    detail: str


class Problem(WireModel):
    """Problem document (RFC 9457). Programs use `code`, which is stable; `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] | None = None

    @classmethod
    def of(cls, error: ApiError, *, request_id: str) -> Self:
        return cls(
            type=f"urn:timetracker:problem:{error.code}",
            title=error.title,
            status=error.status,
            detail=error.detail,
            code=error.code,
            request_id=request_id,
            errors=[FieldProblem(pointer=item.pointer, detail=item.detail) for item in error.errors] or None,
            **error.extra,
        )


def dump(model: WireModel) -> dict[str, Any]:
    """The model as JSON values, for use inside another document."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
