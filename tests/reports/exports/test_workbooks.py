"""Workbooks, read as a spreadsheet program reads them."""

import datetime as dt
import io
import re
import zipfile

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from reports import service
from reports.exports import workbook
from reports.rules import Span
from shared.db.schema import users
from shared.spreadsheet import XLSX
from tests.privacy.erasure.test_person import ask, erase_due
from tests.reports.test_summary_report import know


pytestmark = pytest.mark.http_only


def work(person, clock, work_item_id, project="Website", note=None, **length):
    body = {} if note is None else {"note": note}
    person.start(work_item_id, project=project, **body)
    clock.tick(**length)
    return person.stop().body


def open_workbook(answer, *, formulas=False):
    return openpyxl.load_workbook(io.BytesIO(answer.raw), data_only=not formulas)


def table(sheet, head):
    """The lines below the header with this title, by title of their columns."""
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    first = next(number for number, row in enumerate(rows) if head in row)
    return [dict(zip(rows[first], row, strict=True)) | {"": row[0]} for row in rows[first + 1 :]]


def facts(sheet):
    """The head of a first sheet, by label."""
    rows = list(sheet.iter_rows(min_row=2, max_col=3, values_only=True))
    return {row[0]: row[1] for row in rows[: next(number for number, row in enumerate(rows) if row[0] is None)]}


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


def test_the_summary_has_a_heading(ada):
    book = open_workbook(ada.report(format="xlsx"))

    assert book["Summary"]["A1"].value == book.properties.title == "Time report, November 2026"
    assert facts(book["Summary"]) == {
        "Company": "Contoso",
        "Period": "2026-11-01 to 2026-11-30",
        "Time zone": "Europe/Berlin",
        "Filters": "none",
        "Generated": "2026-11-25 02:00 +01:00",
        "Total": dt.timedelta(hours=5.5),
        "Total hours": 5.5,
        "Titles": "0 of 2",
    }


@pytest.mark.parametrize(
    ("first", "last", "title"),
    [
        ("2026-11-01", "2026-11-30", "November 2026"),
        ("2028-02-01", "2028-02-29", "February 2028"),
        ("2026-11-23", "2026-11-29", "week 48 of 2026"),
        ("2026-12-28", "2027-01-03", "week 53 of 2026"),
        ("2026-11-23", "2026-11-23", "2026-11-23"),
        ("2026-11-02", "2026-12-01", "2026-11-02 to 2026-12-01"),
    ],
)
def test_the_title_names_the_days(first, last, title):
    assert Span.days(dt.date.fromisoformat(first), dt.date.fromisoformat(last)).title == title


@pytest.mark.parametrize("group_by", ["project", "user", "day", "workItem", "day,user,project,workItem"])
def test_all_totals_of_a_workbook_are_those_of_the_report(ada, group_by):
    report = ada.report(groupBy=group_by).body
    book = open_workbook(ada.report(groupBy=group_by, format="xlsx"))
    lines = table(book["Summary"], "Entries")
    rows = [line for line in lines if line[""] != "Total" and not str(line[""]).startswith("Subtotal")]
    days, details = table(book["Days"], "Date"), table(book["Details"], "Date")
    total = lines[-1]

    assert [ms(row["Duration"]) for row in rows] == [row["elapsedMs"] for row in report["rows"]]
    assert [row["Entries"] for row in rows] == [row["entries"] for row in report["rows"]]
    assert [(f"{row['Date']:%Y-%m-%d}", ms(row["Duration"])) for row in days[:-1]] == [
        (day["date"], day["elapsedMs"]) for day in report["days"]
    ]
    for each in (total, days[-1], details[-1]):
        assert (each[""], ms(each["Duration"]), round(each["Hours"], 9)) == ("Total", report["totalMs"], 5.5)
    assert total["Entries"] == sum(row["entries"] for row in report["rows"]) == 2
    assert sum(ms(row["Duration"]) for row in details[:-1]) == report["totalMs"]


def test_each_value_of_the_first_group_has_a_subtotal_with_several_groups(ada):
    lines = table(open_workbook(ada.report(groupBy="user,day", format="xlsx"))["Summary"], "Entries")
    one = table(open_workbook(ada.report(groupBy="user", format="xlsx"))["Summary"], "Entries")

    assert [(line[""], line["Hours"]) for line in lines] == [
        ("Ben", 2),
        ("Ben", 2),
        ("Subtotal Ben", 4),
        (ada.name, 1.5),
        (f"Subtotal {ada.name}", 1.5),
        ("Total", 5.5),
    ]
    assert not [line for line in one if str(line[""]).startswith("Subtotal")]


def test_the_list_has_real_dates_times_and_durations(ada):
    details = table(open_workbook(ada.report(format="xlsx"))["Details"], "Date")
    names = ("Date", "Start", "Stop", "Duration", "Hours", "Time zone")
    first, evening, night = ([row[name] for name in names] for row in details[:-1])

    assert first == [at(23), at(23, 10), at(23, 11, 30), dt.timedelta(hours=1.5), 1.5, "Europe/Berlin"]
    assert evening == [at(24), at(24, 22), at(25), dt.timedelta(hours=2), 2, "Europe/Berlin"]
    assert night == [at(25), at(25), at(25, 2), dt.timedelta(hours=2), 2, "Europe/Berlin"]


def at(day, hour=0, minute=0):
    return dt.datetime(2026, 11, day, hour, minute)  # noqa: DTZ001 - as in a cell


def test_sums_are_formulas_with_their_present_value(ada):
    answer = ada.report(format="xlsx")
    formulas, values = open_workbook(answer, formulas=True), open_workbook(answer)

    assert formulas["Details"]["H5"].value == "=SUBTOTAL(109,H2:H4)"
    assert values["Details"]["H5"].value == dt.timedelta(hours=5.5)
    assert formulas["Days"]["C5"].value == "=SUBTOTAL(109,C2:C4)"
    assert [row["Duration"] for row in table(formulas["Summary"], "Entries")][-1].startswith("=SUBTOTAL(109,B")


def test_hours_of_rows_and_days_add_up_to_the_hours_of_the_total(world):
    ada = world.tenant()
    for number in range(3):
        ada.enter(f"2026-11-{number + 17}T09:00:00Z", f"2026-11-{number + 17}T09:20:00Z", project=f"P{number}")
    book = open_workbook(ada.report(format="xlsx"))
    rows, days = table(book["Summary"], "Entries"), table(book["Days"], "Date")

    assert [row["Hours"] for row in rows] == [row["Hours"] for row in days] == [0.34, 0.33, 0.33, 1]


def test_a_workbook_is_ready_to_be_read_and_printed(ada):
    book = open_workbook(ada.report(format="xlsx"))
    details = book["Details"]
    printed = [details.column_dimensions[letter].width for letter in "ABCDEFGHIJ"]

    assert (details.freeze_panes, book["Days"].freeze_panes) == ("A2", "A2")
    assert details.auto_filter.ref == "A1:Q4"
    assert details.print_title_rows == "$1:$1"
    assert details.print_area == "'Details'!$A$1:$J$5"
    assert sum(printed) < 180  # characters across a page of A4: more could not be read
    for sheet in book:
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
        assert "Page &P of &N" in f"{sheet.oddFooter.right.text}".replace("&[Page]", "&P").replace("&[Pages]", "&N")
    assert details["H2"].number_format == "[h]:mm:ss"
    assert details["A2"].number_format == "yyyy-mm-dd"


def charts(answer):
    with zipfile.ZipFile(io.BytesIO(answer.raw)) as package:
        return [package.read(name).decode() for name in sorted(package.namelist()) if name.startswith("xl/charts/")]


def test_the_summary_has_bars_by_group_and_columns_by_day_of_the_cells_with_hours(ada):
    bars, columns = charts(ada.report(format="xlsx"))
    sheet = open_workbook(ada.report(format="xlsx"))["Summary"]
    head = next(cell.row for cell in sheet["C"] if cell.value == "Hours")

    assert ('barDir val="bar"' in bars, "Hours by project" in bars) == (True, True)
    assert f"<c:f>Summary!$C${head + 1}:$C${head + 2}</c:f>" in bars
    assert ('barDir val="col"' in columns, "<c:f>Days!$C$2:$C$4</c:f>" in columns) == (True, True)
    assert len(charts(ada.report(groupBy="project,user", format="xlsx"))) == 1


@pytest.mark.parametrize("path", ["reports/month?month=2026-11&groupBy=workItem,user", "reports/week?week=2026-W48"])
def test_charts_are_visible_when_the_workbook_opens(ada, path):
    answer = ada.http.send("GET", path + "&format=xlsx", token=ada.token)
    with zipfile.ZipFile(io.BytesIO(answer.raw)) as package:
        drawing = package.read("xl/drawings/drawing1.xml").decode()
    corners = re.findall(r"<xdr:from><xdr:col>(\d+)</xdr:col>.*?<xdr:row>(\d+)</xdr:row>", drawing)

    assert [(column, int(row) < 12) for column, row in corners] == [("0", True)]


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
def test_text_is_written_as_text(world, clock, text):
    ada = world.tenant()
    work(ada, clock, 1, project=text, note=text, minutes=1)
    answer = ada.report(format="xlsx")
    book = open_workbook(answer, formulas=True)
    summary = book["Summary"]
    head = next(cell.row for cell in summary["A"] if cell.value == "Project")
    cells = [book["Details"]["C2"], book["Details"]["J2"], summary[f"A{head + 1}"]]

    assert [unescape(cell.value).rstrip() for cell in cells] == [text] * 3
    assert [(cell.data_type, cell.hyperlink) for cell in cells] == [("s", None)] * 3


def test_an_empty_workbook_opens_too(world):
    ada = world.tenant()
    for answer in (ada.report(format="xlsx"), ada.get("reports/week", week="2026-W48", format="xlsx")):
        details = table(open_workbook(answer)["Details"], "Date")

        assert [(row[""], row["Duration"], row["Hours"]) for row in details] == [("Total", dt.timedelta(0), 0)]


def test_a_timesheet_is_a_grid_in_a_workbook_too(ada):
    answer = ada.get("reports/week", week="2026-W48", format="xlsx")
    sheet = open_workbook(answer)["Timesheet"]
    report = ada.get("reports/week", week="2026-W48").body
    *lines, hours = [list(line.values())[:11] for line in table(sheet, "Person")]
    wanted = [[day["elapsedMs"] for day in row["days"]] for row in [*report["rows"], report]]
    (chart,) = charts(answer)

    assert sheet["A1"].value == "Timesheet, week 48 of 2026"
    assert list(table(sheet, "Person")[0])[2:9] == [at(day) for day in range(23, 30)]
    assert [[ms(cell) for cell in line[2:9]] for line in lines] == wanted
    assert [line[10] for line in lines] == [4, 1.5, 5.5]
    assert (hours[0], hours[2:9]) == ("Hours", [1.5, 2, 2, 0, 0, 0, 0])
    assert ms(lines[-1][9]) == report["totalMs"]
    assert f"<c:f>Timesheet!$C${sheet.max_row}:$I${sheet.max_row}</c:f>" in chart


def test_a_users_workbook_has_their_own_time_and_their_name(world, clock):
    ada = world.tenant()
    ben = world.member(ada, name="Ben")
    work(ada, clock, 1, minutes=1)
    work(ben, clock, 2, minutes=2)
    book = open_workbook(ben.report(format="xlsx", project="website"))

    assert facts(book["Summary"])["Filters"] == "person Ben; project website"
    assert [row["Person"] for row in table(book["Details"], "Date")] == ["Ben", None]


def test_a_workbook_filtered_by_type_has_the_time_of_unknown_types(world, clock, engine):
    ada = world.tenant()
    work(ada, clock, 1, minutes=30)
    work(ada, clock, 2, hours=2)
    know(engine, ada, 1)
    asked = {"format": "xlsx", "type": "bug"}
    book, without = (open_workbook(ada.report(**asked, **more)) for more in ({}, {"includeUnknown": "false"}))

    assert facts(book["Summary"])["Type not known"] == dt.timedelta(hours=2)
    assert facts(book["Summary"])["Total"] == facts(without["Summary"])["Total"] == dt.timedelta(minutes=30)
    assert "Type not known" not in facts(without["Summary"])
    assert [row["Work item"] for row in table(book["Details"], "Date")[:-1]] == [1]


def all_cells(book):
    return [cell.value for sheet in book for line in sheet.iter_rows() for cell in line if cell.value is not None]


@pytest.fixture
def shop(app, world, clock):
    """Ada and Ben worked to the odd second, and Ben was erased since."""
    ada = world.tenant(time_zone="Europe/Berlin")
    ben = world.member(ada, name="Ben")
    for number in range(5):
        for person in (ada, ben):
            work(person, clock, 7, minutes=20, seconds=11 + 7 * number, milliseconds=300)
    assert ask(ben).status == 201
    assert erase_due(app, clock).changed == 1
    return world.renew_token(ada)


@pytest.mark.parametrize("asked", [{"groupBy": "user,day"}, {"groupBy": "project"}])
def test_a_customers_workbook_has_no_addresses_seconds_or_pseudonyms(shop, asked):
    inside, outside = (
        open_workbook(shop.report(format="xlsx", **asked, **variant)) for variant in ({}, {"variant": "customer"})
    )
    cells = all_cells(outside)
    times = [cell for cell in cells if isinstance(cell, dt.datetime | dt.time | dt.timedelta)]
    seconds = [cell.total_seconds() % 60 if isinstance(cell, dt.timedelta) else cell.second for cell in times]

    assert [cell for cell in all_cells(inside) if "@" in str(cell)]
    assert not [cell for cell in cells if "@" in str(cell) or "erased" in str(cell)]
    assert {round(each, 6) % 60 for each in seconds} == {0}
    assert {"Source", "Needs review", "E-mail"} & set(cells) == set()
    assert "Former member" in cells
    total = facts(inside["Summary"])["Total"]
    assert abs(facts(outside["Summary"])["Total"] - total) <= dt.timedelta(seconds=30)
    assert not [cell for cell in times if isinstance(cell, dt.timedelta) and cell < dt.timedelta(0)]


@pytest.mark.parametrize("variant", [{}, {"groupBy": "project,workItem"}, {"groupBy": "workItem"}])
def test_a_customers_workbook_has_no_pseudonyms_in_texts_of_work_items_and_notes(app, world, clock, engine, variant):
    ada = world.tenant()
    gus = world.member(ada, name="Gus Grissom")
    ada.enter(workItemId=7, note="with Gus Grissom")
    know(engine, ada, 7, title="Call Gus Grissom", assignee_name="Gus Grissom")
    assert ask(gus).status == 201
    assert erase_due(app, clock).changed == 1
    ada = world.renew_token(ada)
    inside, outside = (
        all_cells(open_workbook(ada.report(format="xlsx", **variant, **more))) for more in ({}, {"variant": "customer"})
    )

    assert [cell for cell in inside if "erased" in str(cell)]
    assert not [cell for cell in outside if "erased" in str(cell)]
    assert "with Former member" in outside
    assert not [cell for cell in (*inside, *outside) if "Gus" in str(cell)]


def test_a_customers_workbook_of_an_erased_person_does_not_name_the_pseudonym(shop):
    rows = shop.report(groupBy="user").body["rows"]
    [erased] = [row["user"]["id"] for row in rows if "erased" in row["user"]["email"]]
    book = open_workbook(shop.report(format="xlsx", variant="customer", user=erased))

    assert facts(book["Summary"])["Filters"] == "person Former member"
    assert not [cell for cell in all_cells(book) if "erased" in str(cell)]


def test_a_customers_timesheet_has_no_addresses_seconds_or_pseudonyms(shop):
    answer = shop.get("reports/week", week="2026-W48", format="xlsx", variant="customer")
    lines = table(open_workbook(answer)["Timesheet"], "Person")

    assert "customer.xlsx" in answer.headers["Content-Disposition"]
    assert "Former member" in [line["Person"] for line in lines]
    assert not [cell for cell in all_cells(open_workbook(answer)) if "@" in str(cell) or "erased" in str(cell)]


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"format": "csv", "variant": "customer"}, ["variant"]),
        ({"variant": "customer"}, ["variant"]),
        ({"format": "xlsx", "separator": ";"}, ["separator"]),
        ({"format": "json", "profile": "excel-eu"}, ["profile"]),
        ({"format": "csv", "separator": ",", "decimal": ","}, ["decimal"]),
        ({"format": "csv", "decimal": ","}, ["decimal"]),
        ({"format": "csv", "profile": "excel-eu", "decimal": ","}, ["decimal"]),
        ({"format": "csv", "profile": "excel-eu", "separator": ";"}, ["profile"]),
        ({"format": "csv", "separator": ":"}, ["separator"]),
    ],
)
def test_options_of_another_format_are_refused(world, asked, wrong):
    refused = world.tenant().report(**asked)

    assert (refused.status, refused.code) == (400, "invalid_query")
    assert [error["pointer"] for error in refused.body["errors"]] == wrong


def test_files_distinguish_people_with_equal_names(world, clock, engine):
    ada = world.tenant()
    twins = [world.member(ada, name="Ben Berg") for _ in range(2)]
    for twin in twins:
        work(twin, clock, 1, minutes=30)
    with engine.begin() as tx:  # as somebody who was hired again: two accounts, one name, one address
        tx.execute(
            users.update().where(users.c.email.in_([twin.email for twin in twins])).values(email="ben@old.example")
        )
    ids = [twin.get("me").body["id"][:8] for twin in twins]
    csv_lines = ada.report(groupBy="user", format="csv").raw.decode("utf-8-sig")
    book = open_workbook(ada.report(groupBy="user", format="xlsx"))
    week = ada.get("reports/week", week="2026-W48", format="csv").raw.decode("utf-8-sig")

    for name in (f"Ben Berg ({each})" for each in ids):
        assert name in csv_lines
        assert name in week
        assert name in [row["Person"] for row in table(book["Summary"], "Entries")]
        assert name in [row["Person"] for row in table(book["Details"], "Date")]
    assert f"{ada.name} (" not in csv_lines


def test_a_workbook_that_would_take_too_long_is_refused(ada, monkeypatch):
    monkeypatch.setattr(service, "MOST_PIECES", 2)  # the real one is 250,000
    refused = ada.report(format="xlsx")

    assert (refused.status, refused.code) == (400, "report_too_large")
    assert "3 entries" in refused.body["detail"]
    assert ada.report(format="xlsx", project="Website").status == 200


def test_a_workbook_that_fails_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    book = workbook.open_workbook(made, "x")
    book.__enter__().sheet("Details").text(0, 0, "x")
    meanwhile = list(tmp_path.iterdir())
    failure = ZeroDivisionError()
    book.__exit__(ZeroDivisionError, failure, None)

    assert (len(meanwhile), list(tmp_path.iterdir())) == (1, [])
