"""Writes an export in parts: one JSON document, or a zip of CSV files without formulas."""

import datetime as dt
import gzip
import io
import json
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, BinaryIO, Final

from shared.instants import rfc3339
from shared.spreadsheet import EXCEL_EN, Cell, Dialect, Unquoted, write


SCHEMA: Final = "urn:timetracker:export"
VERSION: Final = 4
RowMappings = Iterable[Mapping[str, Any]]


class JsonExport:
    """One document: the header, then each section with its fields and rows."""

    def __init__(self, out: BinaryIO, header: Mapping[str, Any], *, compressed: bool) -> None:
        # Without name and time in the gzip header, so equal exports have equal bytes.
        self._gzip = gzip.GzipFile("", "wb", fileobj=out, mtime=0) if compressed else None
        self._out = io.TextIOWrapper(self._gzip or out, encoding="utf-8", write_through=True)
        opening = json.dumps({"schema": SCHEMA, "version": VERSION, **header}, ensure_ascii=False)
        self._out.write(f'{opening[:-1]}, "sections": {{')
        self._before = "\n"

    def add(self, name: str, about: str, fields: Iterable[str], rows: RowMappings) -> None:
        opening = json.dumps({"about": about, "fields": list(fields)}, ensure_ascii=False)
        self._out.write(f'{self._before}{json.dumps(name)}: {opening[:-1]}, "rows": [')
        between = "\n"
        for row in rows:
            fields_of_row = {field: to_json_value(value) for field, value in row.items() if value is not None}
            self._out.write(between + json.dumps(fields_of_row, ensure_ascii=False))
            between = ",\n"
        self._out.write("]}")
        self._before = ",\n"

    def close(self) -> None:
        self._out.write("\n}}\n")
        self._out.flush()
        self._out.detach()
        if self._gzip is not None:
            self._gzip.close()


class ZipExport:
    """A CSV file for each section, and `about.json`."""

    def __init__(self, out: BinaryIO, header: Mapping[str, Any], dialect: Dialect) -> None:
        self._dialect = dialect
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED)
        document = {"schema": SCHEMA, "version": VERSION, **header}
        # Without the current time, like the other parts, so equal exports have equal bytes.
        about_file = zipfile.ZipInfo("about.json")
        self._zip.writestr(about_file, json.dumps(document, ensure_ascii=False, indent=2), zipfile.ZIP_DEFLATED)

    def add(self, name: str, _about: str, fields: Iterable[str], rows: RowMappings) -> None:
        columns = list(fields)
        with self._zip.open(f"{name}.csv", "w", force_zip64=True) as part:
            write(part, columns, ([_to_cell(row.get(field)) for field in columns] for row in rows), self._dialect)  # type: ignore[arg-type]

    def close(self) -> None:
        self._zip.close()


Export = JsonExport | ZipExport


@contextmanager
def open_export(
    out: BinaryIO, header: Mapping[str, Any], *, as_zip: bool, dialect: Dialect = EXCEL_EN, compressed: bool = False
) -> Iterator[Export]:
    """An export to a file. It is complete only if the context ends without an exception."""
    export = ZipExport(out, header, dialect) if as_zip else JsonExport(out, header, compressed=compressed)
    yield export
    export.close()


def to_json_value(value: Any) -> Any:  # noqa: ANN401 - any column
    """The value for JSON: instants as RFC 3339, money and hours as decimal text."""
    match value:
        case dt.datetime():
            return rfc3339(value)
        case dt.date():
            return value.isoformat()
        case uuid.UUID() | Decimal():
            return str(value)
        case _:
            return value


def _to_cell(value: Any) -> Cell:  # noqa: ANN401 - any column
    """The value for a spreadsheet: numbers and dates as such, all others as text."""
    match value:
        case bool():
            return Unquoted("true" if value else "false")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case dt.datetime():
            return Unquoted(rfc3339(value))
        case None | int() | Decimal() | dt.date():
            return value
        case float():
            return Decimal(repr(value))
        case _:
            return str(value)
