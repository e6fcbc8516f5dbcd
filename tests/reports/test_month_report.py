import csv
import io

import pytest


def work(person, clock, work_item_id, project="Website", **length):
    """Some work on a work item, from now on."""
    person.start(work_item_id, project=project)
    clock.tick(**length)
    return person.stop().body


def test_a_month_adds_up_by_project(world, clock):
    ada = world.tenant()
    work(ada, clock, 1, minutes=30)
    work(ada, clock, 2, minutes=15)
    work(ada, clock, 3, project="Shop", hours=1)
    report = ada.report()

    assert report.status == 200
    assert report.body == {
        "from": "2026-11-01",
        "to": "2026-11-30",
        "timeZone": "UTC",
        "groupBy": ["project"],
        "rows": [
            {"organization": "contoso", "project": "Shop", "elapsedMs": 3_600_000, "entries": 1},
            {"organization": "contoso", "project": "Website", "elapsedMs": 2_700_000, "entries": 2},
        ],
        "days": [{"date": "2026-11-23", "elapsedMs": 6_300_000}],
        "totalMs": 6_300_000,
    }


def test_an_empty_month_is_an_empty_report(world):
    report = world.tenant().report("2025-02").body

    assert (report["rows"], report["days"], report["totalMs"]) == ([], [], 0)
    assert (report["from"], report["to"]) == ("2025-02-01", "2025-02-28")


GROUPS = ["project", "user", "workItem", "day"]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_rows_days_and_total_agree_with_any_grouping(world, clock, size):
    ada = world.tenant("Europe/Berlin")
    ben = world.member(ada)
    for number in range(4):
        work(ada, clock, number % 2 + 1, hours=5)
        work(ben, clock, 1, project="Shop", hours=3)
    for start in range(4):
        groups = (GROUPS * 2)[start : start + size]
        report = ada.report(groupBy=",".join(groups)).body

        assert report["groupBy"] == groups
        assert sum(row["elapsedMs"] for row in report["rows"]) == report["totalMs"] == 32 * 3_600_000
        assert sum(day["elapsedMs"] for day in report["days"]) == report["totalMs"]


def test_an_entry_over_midnight_is_one_entry_on_two_days(world, clock):
    ada = world.tenant()
    clock.set("2026-11-23T22:00:00+00:00")
    entry = work(ada, clock, 1, hours=5)
    by_project, by_day = ada.report().body, ada.report(groupBy="day").body

    assert entry["days"] == [
        {"date": "2026-11-23", "elapsedMs": 7_200_000},
        {"date": "2026-11-24", "elapsedMs": 10_800_000},
    ]
    assert [row["entries"] for row in by_project["rows"]] == [1]
    assert [(row["date"], row["entries"]) for row in by_day["rows"]] == [("2026-11-23", 1), ("2026-11-24", 0)]


def test_an_entry_over_the_months_end_is_counted_in_both_and_its_time_once(world, clock):
    ada = world.tenant("America/New_York")
    clock.set("2026-11-01T03:00:00+00:00")
    work(ada, clock, 1, hours=3)
    october, november = ada.report("2026-10").body, ada.report("2026-11").body

    assert (october["totalMs"], november["totalMs"]) == (3_600_000, 7_200_000)
    assert [row["entries"] for report in (october, november) for row in report["rows"]] == [1, 1]
    assert october["days"] == [{"date": "2026-10-31", "elapsedMs": 3_600_000}]


def test_the_month_is_in_the_tenants_time_zone(world, clock):
    ada, bob = world.tenant("Pacific/Kiritimati"), world.tenant("Pacific/Pago_Pago")
    clock.set("2026-11-30T10:30:00+00:00")
    for person in (ada, bob):
        work(person, clock, 1, minutes=10)

    assert [person.report("2026-12").body["totalMs"] for person in (ada, bob)] == [600_000, 0]
    assert [person.report("2026-11").body["totalMs"] for person in (ada, bob)] == [0, 600_000]


def test_people_see_their_own_month_and_admins_everyones(world, clock):
    ada = world.tenant()
    ben = world.member(ada, name="Ben")
    work(ada, clock, 1, minutes=10)
    work(ben, clock, 1, minutes=20)
    everyone, own = ada.report(groupBy="user").body, ben.report(groupBy="user").body

    assert everyone["totalMs"] == 1_800_000
    assert own["totalMs"] == 1_200_000
    assert [row["user"]["displayName"] for row in own["rows"]] == ["Ben"]


def test_csv_has_a_line_for_every_row(world, clock):
    ada = world.tenant()
    work(ada, clock, 7, minutes=30)
    answer = ada.report(groupBy="day,workItem", format="csv")
    rows = list(csv.reader(io.StringIO(answer.raw.decode("utf-8-sig"))))
    slug = ada.get("tenant").body["slug"]

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="timetracker-{slug}-2026-11.csv"'
    assert rows == [
        [
            *("Date", "Organization", "Work item", "Type", "Title", "Assignee", "State", "Title shown"),
            *("Hours", "Milliseconds", "Entries"),
        ],
        ["2026-11-23", "contoso", "7", "", "", "", "", "no", "0.50", "1800000", "1"],
    ]


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("text/csv", "text/csv"),
        ("TEXT/CSV; charset=UTF-8", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        (f"application/json;q=0.1, text/csv;q=0.2, {XLSX};q=0.3", XLSX),
        ("application/json;q=0, */*", "text/csv"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=0, application/json", "application/json"),
        ("application/json-patch+json, text/csvx", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
        ("image/png", "application/json"),
    ],
)
def test_the_accept_header_chooses_the_format(world, accept, answered):
    ada = world.tenant()
    answer = ada.http.send("GET", "reports/month?month=2026-11", token=ada.token, headers={"Accept": accept})

    assert answer.headers["Content-Type"].partition(";")[0] == answered


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\N{FULLWIDTH EQUALS SIGN}1"])
def test_no_cell_of_a_csv_begins_a_formula(world, clock, name):
    ada = world.tenant()
    work(ada, clock, 1, project=name, minutes=1)
    rows = list(csv.reader(io.StringIO(ada.report(format="csv").raw.decode("utf-8-sig"))))

    assert rows[1][:2] == ["contoso", f"'{name}"]
    assert ada.report().body["rows"][0]["project"] == name


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"month": "2026-13"}, "month"),
        ({"month": "2026-1"}, "month"),
        ({"month": "26-01"}, "month"),
        ({"month": "2026-11-01"}, "month"),
        ({"month": "9999-12"}, "month"),
        ({"month": "2026-11", "groupBy": "colour"}, "groupBy"),
        ({"month": "2026-11", "groupBy": "user,user"}, "groupBy"),
        ({"month": "2026-11", "groupBy": ","}, "groupBy"),
        ({"month": "2026-11", "format": "pdf"}, "format"),
        ({"month": "2026-11", "tenant": "x"}, "tenant"),
        ({}, "month"),
    ],
)
def test_a_wrong_parameter_is_named(world, parameters, wrong):
    refused = world.tenant().get("reports/month", **parameters)

    assert (refused.status, refused.code) == (400, "invalid_query")
    assert [error["pointer"] for error in refused.body["errors"]] == [wrong]
