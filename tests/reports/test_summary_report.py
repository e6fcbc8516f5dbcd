import csv
import datetime as dt
import io
import uuid

import pytest
import sqlalchemy as sa

from reports import service
from shared.clock import new_id
from shared.db.schema import organizations, tenants, users, work_item_readers, work_items
from shared.tenancy import organization_store


def work(person, clock, work_item_id, project="Website", **length):
    """Some work on a work item, from now on."""
    person.start(work_item_id, project=project)
    clock.tick(**length)
    return person.stop().body


def summary(person, first="2026-11-01", last="2026-11-30", **params):
    return person.get("reports/summary", **{"from": first, "to": last, **params})


def lines_of(answer):
    return list(csv.reader(io.StringIO(answer.raw.decode("utf-8-sig"))))


def know(engine, person, number, **more):
    """Caches a work item as read by this person on 1 November."""
    about = {"type": "Bug", "title": f"Item {number}", "assignee_name": None, "state": "Active", **more}
    about |= {"work_item_id": number, "organization_key": about.pop("organization", "contoso")}
    with engine.begin() as tx:
        own = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(person.tid))
        row = {"tenant_id": tx.execute(own).scalar_one(), "fetched_at": dt.datetime(2026, 11, 1, tzinfo=dt.UTC)}
        name = about["organization_key"]
        of = {"name": name, "public_id": new_id(), "now": row["fetched_at"]}
        organization_store.add(tx, row["tenant_id"], **of)
        this = (organizations.c.tenant_id == row["tenant_id"], organizations.c.name_key == name)
        row["organization_id"] = tx.execute(sa.select(organizations.c.id).where(*this)).scalar_one()
        tx.execute(work_items.insert(), {**row, **about})
        reader = sa.select(users.c.id).where(users.c.entra_object_id == uuid.UUID(person.oid))
        reading = {"user_id": tx.execute(reader).scalar_one(), "read_on": row["fetched_at"].date()}
        of_item = {name: row[name] for name in ("tenant_id", "organization_id")} | {"work_item_id": number}
        tx.execute(work_item_readers.insert(), {**of_item, **reading})


def test_a_range_includes_both_ends_and_nothing_beyond(world, clock):
    ada = world.tenant()
    for day in (22, 23, 24, 25):
        clock.set(f"2026-11-{day}T10:00:00+00:00")
        work(ada, clock, 1, minutes=day)
    report = summary(ada, "2026-11-23", "2026-11-24").body

    assert (report["from"], report["to"], report["groupBy"]) == ("2026-11-23", "2026-11-24", ["project"])
    assert report["days"] == [
        {"date": "2026-11-23", "elapsedMs": 23 * 60_000},
        {"date": "2026-11-24", "elapsedMs": 24 * 60_000},
    ]
    assert report["rows"] == [{"organization": "contoso", "project": "Website", "elapsedMs": 47 * 60_000, "entries": 2}]
    assert report["totalMs"] == 47 * 60_000


def test_a_range_that_is_a_month_is_the_month(world, clock):
    ada = world.tenant()
    work(ada, clock, 1, hours=1)

    assert summary(ada).body == ada.report().body


def test_a_range_over_the_years_end_adds_both_months_up(world, clock):
    clock.set("2026-12-20T09:00:00+00:00")
    ada = world.tenant()
    clock.set("2026-12-31T22:00:00+00:00")
    work(ada, clock, 1, hours=5)
    report = summary(ada, "2026-12-01", "2027-01-31", groupBy="day").body

    assert [(day["date"], day["elapsedMs"]) for day in report["days"]] == [
        ("2026-12-31", 7_200_000),
        ("2027-01-01", 10_800_000),
    ]


def test_an_entry_that_began_before_the_range_counts_once_in_it(world, clock):
    ada = world.tenant()
    clock.set("2026-11-23T20:00:00+00:00")
    work(ada, clock, 1, hours=50)
    report = summary(ada, "2026-11-24", "2026-11-30").body

    assert [row["entries"] for row in report["rows"]] == [1]
    assert report["totalMs"] == 46 * 3_600_000


def test_rows_come_in_the_order_of_the_groups(world, clock):
    ada = world.tenant()
    for day, project in ((23, "Website"), (23, "api"), (24, "Shop")):
        clock.set(f"2026-11-{day}T10:00:00+00:00")
        work(ada, clock, 1, project, minutes=1)
    by_day, by_project = (summary(ada, groupBy=groups).body["rows"] for groups in ("day,project", "project,day"))

    assert [(row["date"][-2:], row["project"]) for row in by_day] == [("23", "api"), ("23", "Website"), ("24", "Shop")]
    assert [row["project"] for row in by_project] == ["api", "Shop", "Website"]


def test_a_project_is_named_in_any_case_and_an_unknown_one_has_no_time(world, clock):
    ada = world.tenant()
    work(ada, clock, 1, "Ärger", minutes=1)
    work(ada, clock, 1, "Shop", minutes=2)
    named, unknown = summary(ada, project="äRGER").body, summary(ada, project="Shop%").body

    assert (named["totalMs"], [row["project"] for row in named["rows"]]) == (60_000, ["Ärger"])
    assert named["days"] == [{"date": "2026-11-23", "elapsedMs": 60_000}]
    assert (unknown["totalMs"], unknown["rows"], unknown["days"]) == (0, [], [])


def test_work_items_have_the_details_that_were_read(world, clock, engine):
    ada, bob = world.tenant(), world.tenant()
    for number, minutes in ((1, 1), (2, 2), (3, 4)):
        work(ada, clock, number, minutes=minutes)
    know(engine, ada, 1, title="=cmd|' /C calc'!A0", assignee_name="Ben")
    know(engine, ada, 2, type="Task")
    know(engine, ada, 3, organization="elsewhere")
    know(engine, bob, 3)
    items = [row["workItem"] for row in summary(ada, groupBy="workItem").body["rows"]]

    assert [item.pop("organization") for item in items] == ["contoso"] * 3
    assert [item.pop("titleStatus") for item in items] == ["shown", "shown", "notAsked"]
    assert items == [
        {"id": 1, "type": "Bug", "title": "=cmd|' /C calc'!A0", "assigneeName": "Ben", "state": "Active"},
        {"id": 2, "type": "Task", "title": "Item 2", "state": "Active"},
        {"id": 3},
    ]
    assert lines_of(summary(ada, groupBy="workItem", format="csv")) == [
        [
            *("Organization", "Work item", "Type", "Title", "Assignee", "State", "Title shown"),
            *("Hours", "Milliseconds", "Entries"),
        ],
        ["contoso", "1", "Bug", "'=cmd|' /C calc'!A0", "Ben", "Active", "yes", "0.02", "60000", "1"],
        ["contoso", "2", "Task", "Item 2", "", "Active", "yes", "0.03", "120000", "1"],
        ["contoso", "3", "", "", "", "", "no", "0.07", "240000", "1"],
    ]
    assert [summary(ada, type=name).body["totalMs"] for name in ("bug", "TASK", "Epic")] == [60_000, 120_000, 0]


@pytest.fixture
def half_known(world, clock, engine):
    """A person with an hour on a bug, two on an uncached item, and four on a task."""
    ada = world.tenant()
    for number, hours in ((1, 1), (2, 2), (3, 4)):
        work(ada, clock, number, project=f"P{number}", hours=hours)
    know(engine, ada, 1)
    know(engine, ada, 3, type="Task")
    return ada


def test_a_filter_by_type_returns_the_time_of_unknown_types(half_known):
    week = {"from": "2026-11-23"}
    asked = (
        summary(half_known, type="bug"),
        half_known.report(type="bug", groupBy="workItem,day"),
        half_known.get("reports/week", type="bug", **week),
    )

    assert [(each.body["totalMs"], each.body["unknownMs"]) for each in asked] == [(3_600_000, 7_200_000)] * 3
    assert summary(half_known, type="Epic").body["unknownMs"] == 7_200_000
    assert "unknownMs" not in summary(half_known).body
    assert "unknownMs" not in summary(half_known, type="bug", includeUnknown="false").body
    assert "unknownMs" not in half_known.get("reports/week", type="bug", includeUnknown="false", **week).body
    assert summary(half_known, type="bug", project="P1").body["unknownMs"] == 0


def test_in_csv_unknown_types_are_marked_rows(half_known):
    by_project = lines_of(summary(half_known, type="bug", format="csv"))
    by_item = lines_of(summary(half_known, type="bug", groupBy="workItem", format="csv"))
    without = lines_of(summary(half_known, type="bug", format="csv", includeUnknown="false"))
    week = lines_of(half_known.get("reports/week", type="bug", format="csv", **{"from": "2026-11-23"}))

    assert by_project == [
        ["Organization", "Project", "Type", "Type known", "Hours", "Milliseconds", "Entries"],
        ["contoso", "P1", "bug", "yes", "1.00", "3600000", "1"],
        ["contoso", "P2", "", "no", "2.00", "7200000", "1"],
    ]
    assert [(row[1], row[2], row[7], row[9]) for row in by_item[1:]] == [
        ("1", "Bug", "yes", "3600000"),
        ("2", "", "no", "7200000"),
    ]
    assert without == [
        ["Organization", "Project", "Hours", "Milliseconds", "Entries"],
        ["contoso", "P1", "1.00", "3600000", "1"],
    ]
    assert [row[2:4] + row[-2:] for row in week] == [
        ["Type", "Type known", "Hours", "Milliseconds"],
        ["bug", "yes", "1.00", "3600000"],
        ["", "no", "2.00", "7200000"],
    ]


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"profile": "excel-eu"}, b'"contoso";"a, b";1,50;5400000;1'),
        ({"separator": ";"}, b'"contoso";"a, b";1.50;5400000;1'),
        ({"separator": "tab"}, b'"contoso"\t"a, b"\t1.50\t5400000\t1'),
        ({"separator": "|", "decimal": ","}, b'"contoso"|"a, b"|1,50|5400000|1'),
        ({"profile": "excel-en"}, b'"contoso","a, b",1.50,5400000,1'),
        ({}, b'"contoso","a, b",1.50,5400000,1'),
    ],
)
def test_a_csv_has_the_requested_separator_and_decimal_mark(world, clock, asked, line):
    ada = world.tenant()
    work(ada, clock, 1, project="a, b", minutes=90)
    raw = summary(ada, format="csv", **asked).raw

    assert raw.startswith(b'\xef\xbb\xbf"Organization"')
    assert raw.split(b"\r\n")[1:] == [line, b""]


def test_hours_of_a_csv_add_up_to_the_total(world, clock):
    ada = world.tenant()
    for number in range(3):
        work(ada, clock, 1, project=f"P{number}", minutes=20)
    rows = lines_of(summary(ada, format="csv"))

    assert [row[2] for row in rows[1:]] == ["0.34", "0.33", "0.33"]


def test_admins_filter_by_person_and_everyone_by_themselves(world, clock):
    ada = world.tenant()
    ben = world.member(ada, name="Ben")
    work(ada, clock, 1, minutes=1)
    work(ben, clock, 1, minutes=2)
    ada_id, ben_id = (person.get("me").body["id"] for person in (ada, ben))

    assert summary(ada, user=ben_id).body["totalMs"] == summary(ben, user=ben_id).body["totalMs"] == 120_000
    assert summary(ada, user=ada_id).body["totalMs"] == 60_000
    assert summary(ben).body["totalMs"] == 120_000


@pytest.mark.parametrize("path", ["month", "summary", "week"])
def test_a_person_whom_the_caller_may_not_see_is_not_found(world, path):
    ada = world.tenant()
    ben, eve = world.member(ada), world.tenant()
    when = {"month": {"month": "2026-11"}, "summary": {"from": "2026-11-01", "to": "2026-11-02"}}
    for person, whose in ((ben, ada), (ada, eve)):
        refused = person.get(f"reports/{path}", **when.get(path, {"week": "2026-W48"}), user=whose.get("me").body["id"])

        assert (refused.status, refused.code) == (404, "not_found")
    assert ada.report(user="nonsense").status == 404


def test_a_report_with_too_many_rows_is_refused_as_json_and_not_as_csv(world, clock, monkeypatch):
    monkeypatch.setattr(service, "MOST_ROWS", 2)  # the real one would take 50,000 entries
    ada = world.tenant()
    for number in (1, 2, 3):
        work(ada, clock, number, minutes=1)
    refused = summary(ada, groupBy="workItem")

    assert (refused.status, refused.code) == (400, "report_too_large")
    assert summary(ada).status == 200
    assert len(lines_of(summary(ada, groupBy="workItem", format="csv"))) == 4


def test_exports_are_recorded(world, clock):
    ada = world.tenant()
    work(ada, clock, 1, minutes=1)
    summary(ada)
    summary(ada, "2026-11-20", "2026-11-24", format="csv")
    ada.get("reports/week", week="2026-W48", format="xlsx")
    record = [each for each in ada.get("audit").body["items"] if each["action"] == "report.exported"]

    assert [each["after"] for each in record] == [
        {"from": "2026-11-23", "to": "2026-11-29", "format": "xlsx"},
        {"from": "2026-11-20", "to": "2026-11-24", "format": "csv"},
    ]


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"from": "2026-11-02", "to": "2026-11-01"}, "to"),
        ({"from": "2026-01-01", "to": "2027-01-02"}, "to"),
        ({"from": "2026-11-31", "to": "2026-12-01"}, "from"),
        ({"from": "20261101", "to": "2026-12-01"}, "from"),
        ({"from": "2026-W48-1", "to": "2026-12-01"}, "from"),
        ({"from": "2026-11-01T00:00:00Z", "to": "2026-12-01"}, "from"),
        ({"from": "2026-11-01", "to": "9999-12-31"}, "to"),
        ({"from": "2026-11-01"}, "to"),
        ({"to": "2026-11-01"}, "from"),
        ({"from": "2026-11-01", "to": "2026-11-01", "project": "x" * 65}, "project"),
        ({"from": "2026-11-01", "to": "2026-11-01", "type": " "}, "type"),
        ({"from": "2026-11-01", "to": "2026-11-01", "month": "2026-11"}, "month"),
    ],
)
def test_a_wrong_parameter_is_named(world, parameters, wrong):
    refused = world.tenant().get("reports/summary", **parameters)

    assert (refused.status, refused.code) == (400, "invalid_query")
    assert [error["pointer"] for error in refused.body["errors"]] == [wrong]


def test_a_range_of_366_days_is_accepted(world):
    report = summary(world.tenant(), "2028-01-01", "2028-12-31")

    assert (report.status, report.body["totalMs"]) == (200, 0)
