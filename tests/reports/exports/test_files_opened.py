"""Files of reports, opened by a spreadsheet program, show the values of the report."""

import datetime as dt
import io
import zipfile
from decimal import Decimal

import openpyxl
import pytest

from tests.reports.test_summary_report import know
from tests.support import libreoffice
from tests.support.spreadsheets import remove_apostrophes


pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the bytes are the same on each
ENGLISH, GERMAN = 1033, 1031
NAMES = [
    *("Fix login; add tests", "Cleanup;=1+1;@SUM(A1)", 'x;"=1+1&""";y', "=1+1", "a\u2215b", "x, y | z"),
    *("007", "1e5", "3/4", "3-4", "1.5", "1,5", "10:30", "4. März 2026", "Mar 4", "TRUE", "5 %", "'007"),
]
DAY = dt.date(2026, 11, 20)


@pytest.fixture
def ada(world, engine):
    """A person with 20 minutes on a project for each name; the titles of the work items are the names in turn."""
    ada = world.tenant(time_zone="Europe/Berlin")
    for number, name in enumerate(NAMES, start=1):
        hour, minute = divmod(number * 20, 60)
        entered = ada.enter(
            f"{DAY}T{hour:02}:{minute:02}:00Z",
            f"{DAY}T{hour:02}:{minute + 19:02}:59Z",
            project=name,
            workItemId=number,
            note=name,
        )
        assert entered.status == 201, entered.raw
        know(engine, ada, number, title=name)
    return ada


def table(sheet):
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_a_csv_opens_in_english_with_every_separator_ticked(ada, tmp_path):
    csv = ada.report(groupBy="project,workItem,day", format="csv", profile="excel-en").raw
    report = ada.report(groupBy="project,workItem,day").body
    sheet = libreoffice.import_csv(tmp_path, {"r.csv": csv}, language=ENGLISH)["r.csv"]
    rows = table(sheet)

    assert [remove_apostrophes(row["Project"]) for row in rows] == [row["project"] for row in report["rows"]]
    assert [remove_apostrophes(row["Title"]) for row in rows] == [row["workItem"]["title"] for row in report["rows"]]
    assert [(row["Date"].date(), row["Milliseconds"], row["Entries"]) for row in rows] == [
        (DAY, each["elapsedMs"], 1) for each in report["rows"]
    ]
    assert sum(Decimal(str(row["Hours"])) for row in rows) == round(Decimal(report["totalMs"]) / 3_600_000, 2)
    assert not [cell for line in sheet.iter_rows() for cell in line if cell.data_type == "f"]


def test_a_csv_opens_in_german_and_the_wrong_one_runs_nothing(ada, tmp_path):
    asked = {"groupBy": "project,day", "format": "csv"}
    right, wrong = (ada.report(**asked, profile=f"excel-{name}").raw for name in ("eu", "en"))
    with zipfile.ZipFile(io.BytesIO(ada.get("privacy/export", format="zip", profile="excel-eu").raw)) as files:
        entries = files.read("timeEntries.csv")
    sheets = libreoffice.import_csv(
        tmp_path, {"r.csv": right, "wrong.csv": wrong, "entries.csv": entries}, separators="59", language=GERMAN
    )
    rows, notes = table(sheets["r.csv"]), table(sheets["entries.csv"])

    assert {remove_apostrophes(row["Project"]) for row in rows} == set(NAMES)
    assert sum(Decimal(str(row["Hours"])) for row in rows) == round(Decimal(len(NAMES) * 1199) / 3600, 2)
    assert [row["Date"].date() for row in rows] == [DAY] * len(NAMES)
    assert {remove_apostrophes(row["note"]) for row in notes} == set(NAMES)
    assert {row["elapsedMs"] for row in notes} == {1_199_000}
    for sheet in sheets.values():
        assert not [cell for line in sheet.iter_rows() for cell in line if cell.data_type == "f"]


def formulas(workbook):
    """The cells with formulas, and their values."""
    written, computed = (openpyxl.load_workbook(io.BytesIO(workbook), data_only=only) for only in (False, True))
    return {
        (sheet.title, cell.coordinate): computed[sheet.title][cell.coordinate].value
        for sheet in written
        for line in sheet.iter_rows()
        for cell in line
        if cell.data_type == "f"
    }


def column(sheet, title):
    """The cells below a title, up to the first one of a total."""
    rows = list(sheet.iter_rows(values_only=True))
    head = next(number for number, row in enumerate(rows) if title in row)
    at = rows[head].index(title)
    lines = rows[head + 1 :]
    last = next(number for number, row in enumerate(lines) if row[0] == "Total")
    return [row[at] for row in lines[: last + 1]]


def test_workbooks_recalculate_and_draw_the_same_values(ada, tmp_path):
    files = {
        "month.xlsx": ada.report(format="xlsx").raw,
        "people.xlsx": ada.report(groupBy="user,project", format="xlsx").raw,
        "week.xlsx": ada.get("reports/week", week="2026-W47", format="xlsx").raw,
        "customer.xlsx": ada.report(format="xlsx", variant="customer").raw,
    }
    total = round(len(NAMES) * 1199 / 3600, 2)
    opened = libreoffice.recalculate(tmp_path, files)
    sheets = {name: openpyxl.load_workbook(io.BytesIO(body), data_only=True) for name, body in opened.items()}

    for name, body in files.items():
        written, computed = formulas(body), formulas(opened[name])
        assert computed.keys() == written.keys()
        assert {place: value for place, value in computed.items() if not is_near(value, written[place])} == {}
    for name in ("month.xlsx", "customer.xlsx"):
        bars, days = libreoffice.chart_values(opened[name])
        hours = column(sheets[name]["Summary"], "Hours")
        assert (hours[:-1], round(sum(bars), 2)) == (bars, round(hours[-1], 2))
        assert days == column(sheets[name]["Days"], "Hours")[:-1]
    assert round(column(sheets["month.xlsx"]["Summary"], "Hours")[-1], 2) == total
    assert libreoffice.chart_values(opened["week.xlsx"]) == [[0, 0, 0, 0, total, 0, 0]]
    assert [cell.value for cell in sheets["month.xlsx"]["Details"]["E"][1:-1]] == NAMES
    assert len(libreoffice.chart_values(opened["people.xlsx"])) == 1


def is_near(value, wanted):
    if isinstance(value, dt.timedelta) and isinstance(wanted, dt.timedelta):
        return abs(value - wanted) < dt.timedelta(milliseconds=1)
    return abs(value - wanted) < 1e-6
