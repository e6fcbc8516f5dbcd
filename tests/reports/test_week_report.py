import csv
import io

import pytest


HOUR = 3_600_000


def work(person, clock, at, hours, **more):
    clock.set(at)
    person.start(1, **more)
    clock.tick(hours=hours)
    person.stop()


def test_a_timesheet_has_a_row_for_each_person_and_all_days(world, clock):
    ada = world.tenant(time_zone="Europe/Berlin")
    ben = world.member(ada, name="Ben")
    world.member(ada, name="Idle")
    work(ben, clock, "2026-11-23T09:00:00+00:00", 2)
    work(ben, clock, "2026-11-29T21:00:00+00:00", 4)  # till two hours into Monday
    work(ada, clock, "2026-11-25T09:00:00+00:00", 1)
    report = ada.get("reports/week", week="2026-W48").body
    times = {row["user"]["displayName"]: [day["elapsedMs"] for day in row["days"]] for row in report["rows"]}

    assert times == {"Ben": [2 * HOUR, 0, 0, 0, 0, 0, 2 * HOUR], ada.name: [0, 0, HOUR, 0, 0, 0, 0]}
    assert [row["totalMs"] for row in report["rows"]] == [4 * HOUR, HOUR]
    assert [day["date"] for day in report["days"]] == [f"2026-11-{day}" for day in range(23, 30)]
    assert [day["elapsedMs"] for day in report["days"]] == [2 * HOUR, 0, HOUR, 0, 0, 0, 2 * HOUR]
    assert {name: report[name] for name in ("from", "to", "week", "timeZone", "totalMs")} == {
        "from": "2026-11-23",
        "to": "2026-11-29",
        "week": "2026-W48",
        "timeZone": "Europe/Berlin",
        "totalMs": 5 * HOUR,
    }


def test_a_timesheet_can_begin_on_any_weekday(world, clock):
    ada = world.tenant()
    work(ada, clock, "2026-11-22T09:00:00+00:00", 1)
    from_sunday, from_monday = (ada.get("reports/week", **{"from": day}).body for day in ("2026-11-22", "2026-11-23"))

    assert (from_sunday["from"], from_sunday["to"], from_sunday["totalMs"]) == ("2026-11-22", "2026-11-28", HOUR)
    assert "week" not in from_sunday
    assert (from_monday["week"], from_monday["totalMs"], from_monday["rows"]) == ("2026-W48", 0, [])


def test_the_night_of_a_clock_change_has_its_real_length(world, clock):
    ada = world.tenant(time_zone="Europe/Berlin")
    clock.set("2026-10-25T00:30:00+00:00")  # 02:30 in summer; three hours later it is 04:30 in winter
    work(ada, clock, "2026-10-25T00:30:00+00:00", 3)
    report = ada.get("reports/week", week="2026-W43").body

    assert report["days"][6] == {"date": "2026-10-25", "elapsedMs": 3 * HOUR}


def test_a_timesheet_is_filtered_as_other_reports(world, clock):
    ada = world.tenant()
    work(ada, clock, "2026-11-23T09:00:00+00:00", 1)
    work(ada, clock, "2026-11-24T09:00:00+00:00", 2, project="Shop")
    report = ada.get("reports/week", week="2026-W48", project="shop").body

    assert report["totalMs"] == sum(day["elapsedMs"] for day in report["days"]) == 2 * HOUR
    assert ada.get("reports/week", week="2026-W48", type="Bug").body["rows"] == []


def test_users_see_their_own_row(world, clock):
    ada = world.tenant()
    ben = world.member(ada, name="Ben")
    work(ada, clock, "2026-11-23T09:00:00+00:00", 1)
    work(ben, clock, "2026-11-23T09:00:00+00:00", 2)

    assert [row["totalMs"] for row in ben.get("reports/week", week="2026-W48").body["rows"]] == [2 * HOUR]


def test_a_timesheet_is_a_grid_in_csv_too(world, clock):
    ada = world.tenant()
    work(ada, clock, "2026-11-24T09:00:00+00:00", 1.5)
    answer = ada.get("reports/week", week="2026-W48", format="csv")
    slug = ada.get("tenant").body["slug"]
    rows = list(csv.reader(io.StringIO(answer.raw.decode("utf-8-sig"))))

    assert answer.headers["Content-Disposition"] == f'attachment; filename="timetracker-{slug}-2026-W48.csv"'
    assert rows == [
        ["Person", "E-mail", *(f"2026-11-{day}" for day in range(23, 30)), "Hours", "Milliseconds"],
        [ada.name, ada.email, "0.00", "1.50", *["0.00"] * 5, "1.50", "5400000"],
    ]


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({}, "week"),
        ({"week": "2026-W48", "from": "2026-11-23"}, "week"),
        ({"week": "2025-W53"}, "week"),
        ({"week": "2026-W00"}, "week"),
        ({"week": "2026-48"}, "week"),
        ({"week": "2026W48"}, "week"),
        ({"from": "2026-11-32"}, "from"),
        ({"from": "today"}, "from"),
        ({"week": "2026-W48", "groupBy": "user"}, "groupBy"),
    ],
)
def test_a_wrong_parameter_is_named(world, parameters, wrong):
    refused = world.tenant().get("reports/week", **parameters)

    assert (refused.status, refused.code) == (400, "invalid_query")
    assert [error["pointer"] for error in refused.body["errors"]] == [wrong]


def test_a_year_may_have_53_weeks(world):
    report = world.tenant().get("reports/week", week="2026-W53").body

    assert (report["from"], report["to"]) == ("2026-12-28", "2027-01-03")
