"""Exports on the wire: the query, and the outline of the JSON document."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from privacy.export.writer import SCHEMA, VERSION
from privacy.rules import Scope
from shared.http.csv_options import CsvOptions
from shared.http.wire import Instant, WireModel


class Format(StrEnum):
    JSON = "json"
    ZIP = "zip"


class ExportQuery(CsvOptions):
    format: Annotated[Format, Field(strict=False)] = Format.JSON
    scope: Annotated[Scope, Field(strict=False)] = Scope.PERSON
    user: str | None = Field(None, max_length=64, description="`me` (default), or for super admins the id of a member")

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if self.scope is Scope.TENANT and self.user is not None:
            raise ValueError("must name a user or the scope tenant, not both")
        return self


class ExportSection(WireModel):
    """A class of data. Rows have the listed fields; empty ones are omitted."""

    about: str
    fields: list[str]
    rows: list[dict[str, Any]]


class DataExport(WireModel):
    """The published schema lists sections and fields; a change of them is a new version."""

    schema_: Literal["urn:timetracker:export"] = Field(SCHEMA, alias="schema")
    version: Literal[4] = VERSION
    generated_at: Instant
    scope: Scope
    notice: dict[str, Any]
    sections: dict[str, ExportSection]
