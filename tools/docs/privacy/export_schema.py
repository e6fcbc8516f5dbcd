"""The JSON Schema of an export (2020-12), from the columns that an export reads.

A published version never changes; a change is a new version in its own file. Titles and descriptions are not part of
the format: a published file keeps its own.
"""

import json
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from privacy.export.section_store import SECTIONS
from privacy.export.writer import SCHEMA, VERSION
from privacy.rules import Scope
from shared.db.types import Day, Hours, Money, UtcDateTime


_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INSTANT: Final = {"type": "string", "format": "date-time"}
_DECIMAL: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
_SCHEMA_BY_TYPE: Final[dict[type, dict[str, Any]]] = {
    UtcDateTime: _INSTANT,
    Day: {"type": "string", "format": "date"},
    Money: _DECIMAL,
    Hours: _DECIMAL,
    sa.Boolean: {"type": "boolean"},
    sa.Integer: {"type": "integer"},
    sa.Uuid: {"type": "string", "format": "uuid"},
    sa.JSON: {"type": "object"},
    sa.String: {"type": "string"},
}


class AlreadyPublished(Exception):
    """The version is published with another format."""


def path_of(folder: Path) -> Path:
    return folder / f"export-{VERSION}.schema.json"


def publish(folder: Path) -> None:
    """Writes the schema of the current version, unless it is published.

    Raises:
        AlreadyPublished: the published file has another format, and readers of exports rely on it.
    """
    path = path_of(folder)
    if not path.exists():
        path.write_text(render(), encoding="utf-8")
    elif format_of(json.loads(path.read_text(encoding="utf-8"))) != format_of(document()):
        raise AlreadyPublished(f"{path} is published and would change: raise VERSION in privacy/export/writer.py")


def format_of(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A schema without its titles and descriptions. A field may have one of these names, but is no text."""
    match schema:
        case dict():
            texts = {name for name in ("title", "description") if isinstance(schema.get(name), str)}
            return {name: format_of(value) for name, value in schema.items() if name not in texts}
        case list():
            return [format_of(each) for each in schema]
        case _:
            return schema


def render() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """The schema of the JSON document. The CSV files of a zip have the same fields, as text."""
    sections = {name: _section_schema(name) for name in SECTIONS}
    return {
        "$schema": _DIALECT,
        "$id": f"{SCHEMA}:{VERSION}",
        "title": "All data of TimeTracker about a person or an organization",
        **_object_schema(
            {
                "schema": {"const": SCHEMA},
                "version": {"const": VERSION},
                "generatedAt": _INSTANT,
                "scope": {"enum": [scope.value for scope in Scope]},
                "notice": {"type": "object"},
                "sections": {"type": "object", "properties": sections, "additionalProperties": False},
            }
        ),
    }


def _section_schema(name: str) -> dict[str, Any]:
    section = SECTIONS[name]
    columns = {column.name: column for column in section.of_tenant.selected_columns}
    fields = {field: _value_schema(column) for field, column in columns.items()}
    rows = {"type": "array", "items": _row_schema(fields)}
    field_list = {"type": "array", "items": {"enum": list(fields)}, "uniqueItems": True}
    return {
        "description": section.about,
        **_object_schema({"about": {"type": "string"}, "fields": field_list, "rows": rows}),
    }


def _row_schema(fields: dict[str, Any]) -> dict[str, Any]:
    """Empty fields are omitted, so no field is required."""
    return {"type": "object", "properties": fields, "additionalProperties": False}


def _object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _value_schema(column: sa.ColumnElement[Any]) -> dict[str, Any]:
    """The schema of a value as `to_json_value` of privacy/export/writer.py writes it.

    Raises:
        TypeError: unknown type.
    """
    for kind, schema in _SCHEMA_BY_TYPE.items():
        if isinstance(column.type, kind):
            return schema
    raise TypeError(f"{column.name} is a {type(column.type).__name__}")
