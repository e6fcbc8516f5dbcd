"""Writes an export as its rows come: one JSON document, or a zip of CSV files that spreadsheets leave as they are."""

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
VERSION: Final = 3
Rows = Iterable[Mapping[str, Any]]


class JsonExport:
    """One document: what it is, then a section after the other, each with its fields and rows."""

    def __init__(self, out: BinaryIO, about: Mapping[str, Any], *, compressed: bool) -> None:
        # Without a name or a time in its header, so that the same export is the same bytes.
        self._gzip = gzip.GzipFile("", "wb", fileobj=out, mtime=0) if compressed else None
        self._out = io.TextIOWrapper(self._gzip or out, encoding="utf-8", write_through=True)
        head = json.dumps({"schema": SCHEMA, "version": VERSION, **about}, ensure_ascii=False)
        self._out.write(f'{head[:-1]}, "sections": {{')
        self._before = "\n"

    def add(self, name: str, about: str, fields: Iterable[str], rows: Rows) -> None:
        opening = json.dumps({"about": about, "fields": list(fields)}, ensure_ascii=False)
        self._out.write(f'{self._before}{json.dumps(name)}: {opening[:-1]}, "rows": [')
        between = "\n"
        for row in rows:
            kept = {field: plain(value) for field, value in row.items() if value is not None}
            self._out.write(between + json.dumps(kept, ensure_ascii=False))
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

    def __init__(self, out: BinaryIO, about: Mapping[str, Any], dialect: Dialect) -> None:
        self._dialect = dialect
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED)
        head = {"schema": SCHEMA, "version": VERSION, **about}
        # Like the other parts without the time of this machine, so that the same export is the same bytes.
        about_file = zipfile.ZipInfo("about.json")
        self._zip.writestr(about_file, json.dumps(head, ensure_ascii=False, indent=2), zipfile.ZIP_DEFLATED)

    def add(self, name: str, _about: str, fields: Iterable[str], rows: Rows) -> None:
        columns = list(fields)
        with self._zip.open(f"{name}.csv", "w", force_zip64=True) as part:
            write(part, columns, ([_cell(row.get(field)) for field in columns] for row in rows), self._dialect)  # type: ignore[arg-type]

    def close(self) -> None:
        self._zip.close()


Export = JsonExport | ZipExport


@contextmanager
def writing(
    out: BinaryIO, about: Mapping[str, Any], *, as_zip: bool, dialect: Dialect = EXCEL_EN, compressed: bool = False
) -> Iterator[Export]:
    """An export into a file; whole only when the context is left without an exception."""
    export = ZipExport(out, about, dialect) if as_zip else JsonExport(out, about, compressed=compressed)
    yield export
    export.close()


def plain(value: Any) -> Any:  # noqa: ANN401 - of any column
    """As JSON has it: instants as RFC 3339, money and hours as decimal text."""
    match value:
        case dt.datetime():
            return rfc3339(value)
        case dt.date():
            return value.isoformat()
        case uuid.UUID() | Decimal():
            return str(value)
        case _:
            return value


def _cell(value: Any) -> Cell:  # noqa: ANN401 - of any column
    """As a spreadsheet is to read it: numbers and dates as such, all else as text."""
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
