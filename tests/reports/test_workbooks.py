"""The workbooks, opened as a spreadsheet would open them."""

import datetime as dt
import io
import zipfile

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from reports import service, tables_book
from shared.spreadsheet import XLSX


def work(person, clock, work_item_id, project="Website", note=None, **length):
    body = {} if note is None else {"note": note}
    person.start(work_item_id, project=project, **body)
    clock.tick(**length)
    return person.stop().body


def opened(answer, *, formulas=False):
    return openpyxl.load_workbook(io.BytesIO(answer.raw), data_only=not formulas)


def table(sheet, head):
    """The lines from the one that begins with this head on, without the head."""
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    first = next(number for number, row in enumerate(rows) if row[0] == head)
    return rows[first + 1 :]


def ms(duration):
    return round(duration / dt.timedelta(milliseconds=1))


@pytest.fixture
def ada(world, clock):
    """A tenant in Berlin where two people worked on two projects, once over midnight."""
    ada = world.tenant(time_zone="Europe/Berlin")
    ben = world.member(ada, name="Ben")
    work(ada, clock, 7, note="=HYPERLINK(1)", minutes=90)
    clock.set("2026-11-24T21:00:00+00:00")
    work(ben, clock, 8, "Shop", hours=4)
    return ada


def test_a_workbook_is_named_and_typed_as_one(ada):
    answer = ada.report(format="xlsx")
    slug = ada.get("tenant").body["slug"]

    assert answer.headers["Content-Type"] == XLSX
    assert answer.headers["Content-Disposition"] == f'attachment; filename="timetracker-{slug}-2026-11.xlsx"'
    assert (
        ada.http.send("GET", "reports/month?month=2026-11", token=ada.token, headers={"Accept": XLSX}).raw[:2] == b"PK"
    )


def test_the_summary_says_what_it_is_about(ada, clock):
    sheet = opened(ada.report(format="xlsx"))["Summary"]
    facts = {row[0]: row[1:3] for row in sheet.iter_rows(min_row=2, max_row=7, values_only=True)}

    assert sheet["A1"].value == "Time report"
    assert facts["Organisation"][0] == "Contoso"
    assert facts["Period"] == (dt.datetime(2026, 11, 1), dt.datetime(2026, 11, 30))  # noqa: DTZ001 - as it is in a cell
    assert facts["Time zone"][0] == "Europe/Berlin"
    assert facts["Made"][0] == clock().replace(tzinfo=None) + dt.timedelta(hours=1)
    assert facts["Shows"][0] == "everyone, every project, every type of work item"
    assert facts["Total"][0] == dt.timedelta(hours=5.5)


@pytest.mark.parametrize("group_by", ["project", "user", "day", "workItem", "day,user,project,workItem"])
def test_all_totals_of_a_workbook_are_those_of_the_report(ada, group_by):
    report = ada.report(groupBy=group_by).body
    book = opened(ada.report(groupBy=group_by, format="xlsx"))
    head = {"project": "Project", "user": "Person", "workItem": "Work item", "day": "Date"}[group_by.partition(",")[0]]
    summary = table(book["Summary"], head)
    names = next(row for row in book["Summary"].iter_rows(values_only=True) if row[0] == head)
    sums, beside = names.index("Duration"), len(names) - 3
    rows, total = summary[: len(report["rows"])], summary[len(report["rows"])]
    days = summary[: len(report["days"])]
    details = table(book["Details"], "Date")

    assert [ms(row[sums]) for row in rows] == [row["elapsedMs"] for row in report["rows"]]
    assert [row[sums + 2] for row in rows] == [row["entries"] for row in report["rows"]]
    assert [(f"{row[beside]:%Y-%m-%d}", ms(row[beside + 1])) for row in days] == [
        (day["date"], day["elapsedMs"]) for day in report["days"]
    ]
    assert (total[0], ms(total[sums]), ms(summary[len(days)][beside + 1])) == ("Total", *[report["totalMs"]] * 2)
    assert details[-1][0] == "Total"
    assert ms(details[-1][10]) == sum(ms(row[10]) for row in details[:-1]) == report["totalMs"]


def test_the_list_has_real_dates_times_and_durations(ada):
    details = table(opened(ada.report(format="xlsx"))["Details"], "Date")
    first, evening, night = ([*row[:1], *row[8:12]] for row in details[:-1])

    assert first == [at(23), at(23, 10), at(23, 11, 30), dt.timedelta(hours=1.5), 1.5]
    assert evening == [at(24), at(24, 22), at(25), dt.timedelta(hours=2), 2]
    assert night == [at(25), at(25), at(25, 2), dt.timedelta(hours=2), 2]


def at(day, hour=0, minute=0):
    return dt.datetime(2026, 11, day, hour, minute)  # noqa: DTZ001 - as it is in a cell


def test_sums_are_formulas_with_their_value_beside(ada):
    answer = ada.report(format="xlsx")
    formulas, values = opened(answer, formulas=True), opened(answer)

    assert formulas["Details"]["K5"].value == "=SUBTOTAL(109,K2:K4)"
    assert values["Details"]["K5"].value == dt.timedelta(hours=5.5)
    assert formulas["Summary"]["B12"].value == "=SUM(B10:B11)"
    assert formulas["Summary"]["G13"].value == "=SUM(G10:G12)"


def test_a_workbook_is_ready_to_be_read_and_printed(ada):
    book = opened(ada.report(format="xlsx"))
    details, summary = book["Details"], book["Summary"]

    assert (details.freeze_panes, summary.freeze_panes) == ("A2", "A10")
    assert details.auto_filter.ref == "A1:O4"
    assert details.print_title_rows == "$1:$1"
    for sheet in book:
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
        assert "Page &P of &N" in f"{sheet.oddFooter.right.text}".replace("&[Page]", "&P").replace("&[Pages]", "&N")
    assert details["K2"].number_format == "[h]:mm:ss"
    assert details["A2"].number_format == "yyyy-mm-dd"
    assert details.column_dimensions["G"].width > details.column_dimensions["E"].width


def test_the_summary_has_bars_by_group_and_columns_by_day(ada):
    with zipfile.ZipFile(io.BytesIO(ada.report(format="xlsx").raw)) as package:
        charts = [package.read(name).decode() for name in package.namelist() if name.startswith("xl/charts/")]
    with zipfile.ZipFile(io.BytesIO(ada.report(groupBy="project,user", format="xlsx").raw)) as package:
        by_two = [name for name in package.namelist() if name.startswith("xl/charts/")]

    assert ["barDir val=" + ('"bar"' if "Hours by project" in chart else '"col"') in chart for chart in charts] == [
        True
    ] * 2
    assert all("<c:v>1.5</c:v>" in chart for chart in charts)
    assert len(by_two) == 1


TEXTS = [
    "=1+1",
    "+1",
    "@SUM(A1)",
    "{=1}",
    "https://example.org",
    "12345",
    "<b>&amp;",
    "_x0041_",
    "<r></t></is></c><c><f>1+1</f></c></r>",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_the_text_it_is(world, clock, text):
    ada = world.tenant()
    work(ada, clock, 1, project=text, note=text, minutes=1)
    answer = ada.report(format="xlsx")
    book = opened(answer, formulas=True)
    cells = [book["Details"]["D2"], book["Details"]["M2"], book["Summary"]["A10"]]

    assert [unescape(cell.value).rstrip() for cell in cells] == [text] * 3
    assert [(cell.data_type, cell.hyperlink) for cell in cells] == [("s", None)] * 3


def test_an_empty_workbook_opens_too(world):
    ada = world.tenant()
    for answer in (ada.report(format="xlsx"), ada.get("reports/week", week="2026-W48", format="xlsx")):
        book = opened(answer)

        assert table(book["Details"], "Date") == [["Total", *[None] * 9, dt.timedelta(0), 0, *[None] * 3]]


def test_a_timesheet_is_a_grid_in_a_workbook_too(ada):
    answer = ada.get("reports/week", week="2026-W48", format="xlsx")
    sheet = opened(answer)["Timesheet"]
    report = ada.get("reports/week", week="2026-W48").body
    lines = table(sheet, "Person")[: len(report["rows"]) + 1]
    wanted = [[day["elapsedMs"] for day in row["days"]] for row in [*report["rows"], report]]

    assert [cell.value for cell in sheet[9][2:9]] == [at(day) for day in range(23, 30)]
    assert [[ms(cell) for cell in line[2:9]] for line in lines] == wanted
    assert ms(lines[-1][9]) == report["totalMs"]
    assert opened(answer, formulas=True)["Timesheet"]["J10"].value == "=SUM(C10:I10)"


def test_who_works_alone_sees_their_own_and_whose_it_is(world, clock):
    ada = world.tenant()
    ben = world.member(ada, name="Ben")
    work(ada, clock, 1, minutes=1)
    work(ben, clock, 2, minutes=2)
    book = opened(ben.report(format="xlsx", project="website"))

    assert book["Summary"]["B6"].value == "Ben, project website, every type of work item"
    assert [row[1] for row in table(book["Details"], "Date")] == ["Ben", None]


def test_a_workbook_that_would_take_too_long_is_refused_before(ada, monkeypatch):
    monkeypatch.setattr(service, "MOST_PIECES", 2)  # the real one is 250,000
    refused = ada.report(format="xlsx")

    assert (refused.status, refused.code) == (400, "report_too_large")
    assert "3 entries" in refused.body["detail"]
    assert ada.report(format="xlsx", project="Website").status == 200


def test_a_workbook_that_fails_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    book = tables_book.book(made, "x")
    book.__enter__().sheet("Details").text(0, 0, "x")
    meanwhile = list(tmp_path.iterdir())
    failure = ZeroDivisionError()
    book.__exit__(ZeroDivisionError, failure, None)

    assert (len(meanwhile), list(tmp_path.iterdir())) == (1, [])
