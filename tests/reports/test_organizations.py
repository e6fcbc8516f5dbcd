"""Work items and projects of two Azure DevOps organizations are separate, also with equal numbers and names."""

import csv
import io

import pytest

from tests.reports.exports.test_workbooks import charts, open_workbook, table
from tests.reports.test_summary_report import know


SPAN = {"from": "2026-11-01", "to": "2026-11-30"}


def summary(person, **params):
    return person.get("reports/summary", **SPAN, **params)


def move_organization(person, organization):
    answer = person.http.send(
        "PATCH", "tenant", {"azureDevOpsOrganization": organization}, token=person.token, headers={"If-Match": "*"}
    )
    assert answer.status == 200, answer.raw


@pytest.fixture
def ada(world, engine):
    """Time on Website 58 of one organization, two hours on that of another, and a title known of the first."""
    ada = world.tenant()
    ada.enter("2026-11-20T18:00:00Z", "2026-11-20T19:00:00Z", workItemId=58)
    know(engine, ada, 58, type="Task", title="Load pictures")
    move_organization(ada, "othercorp")
    ada.enter("2026-11-20T20:00:00Z", "2026-11-20T22:00:00Z", workItemId=58, organization="othercorp")
    move_organization(ada, "contoso")
    return ada


def test_items_with_one_number_are_two_rows_with_their_own_titles(ada):
    rows = summary(ada, groupBy="workItem").body["rows"]

    assert [(row["workItem"]["organization"], row["workItem"].get("title"), row["elapsedMs"]) for row in rows] == [
        ("contoso", "Load pictures", 3_600_000),
        ("othercorp", None, 7_200_000),
    ]


def test_projects_with_one_name_are_two_rows(ada):
    rows = summary(ada, groupBy="project,workItem").body["rows"]

    assert [(row["organization"], row["project"], row["elapsedMs"]) for row in rows] == [
        ("contoso", "Website", 3_600_000),
        ("othercorp", "Website", 7_200_000),
    ]


@pytest.mark.parametrize(
    ("only", "total"),
    [
        ({"organization": "contoso"}, 3_600_000),
        ({"organization": "OtherCorp"}, 7_200_000),
        ({"organization": "nobody"}, 0),
        ({"project": "website"}, 10_800_000),
        ({"project": "website", "organization": "othercorp"}, 7_200_000),
        ({"type": "task"}, 3_600_000),  # nothing is known of the other's item
        ({"type": "task", "organization": "othercorp"}, 0),
    ],
)
def test_a_report_filters_by_organization(ada, only, total):
    for group_by in ("project", "workItem", "user,day"):
        report = summary(ada, groupBy=group_by, **only).body

        assert (report["totalMs"], sum(row["elapsedMs"] for row in report["rows"])) == (total, total)


def test_a_file_has_a_row_for_each(ada):
    text = summary(ada, groupBy="workItem", format="csv").raw.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [(row["Title"], row["Milliseconds"]) for row in rows] == [("Load pictures", "3600000"), ("", "7200000")]


@pytest.mark.parametrize(("only", "hours"), [({}, [2, 1]), ({"organization": "contoso"}, [1])])
def test_the_list_of_entries_filters_by_organization(ada, only, hours):
    found = ada.entries(workItemId="58", **only)

    assert [entry["elapsedMs"] // 3_600_000 for entry in found] == hours


@pytest.mark.parametrize(("group_by", "name"), [("project,user", "Website"), ("workItem,user", "58")])
def test_equal_names_in_two_organizations_have_separate_subtotals(ada, group_by, name):
    lines = table(open_workbook(summary(ada, groupBy=group_by, format="xlsx"))["Summary"], "Entries")

    assert [(line[""], line["Hours"]) for line in lines if str(line[""]).startswith("Subtotal")] == [
        (f"Subtotal {name} (contoso)", 1),
        (f"Subtotal {name} (othercorp)", 2),
    ]


@pytest.mark.parametrize("group_by", ["project", "workItem"])
def test_bars_with_one_name_show_the_organization(ada, group_by):
    bars, _ = charts(summary(ada, groupBy=group_by, format="xlsx"))

    assert ("<c:v>contoso</c:v>" in bars, "<c:v>othercorp</c:v>" in bars, "multiLvlStrRef" in bars) == (True,) * 3


def test_people_with_one_name_have_separate_subtotals(world):
    ada = world.tenant()
    twins = sorted((world.member(ada, name="Ben Okafor") for _ in range(2)), key=lambda twin: twin.email)
    for hour, twin in enumerate(twins, start=10):
        twin.enter("2026-11-20T08:00:00Z", f"2026-11-20T{hour}:00:00Z")
    inside, outside = (
        [
            line[""]
            for line in table(open_workbook(answer)["Summary"], "Entries")
            if str(line[""]).startswith("Subtotal")
        ]
        for answer in (
            summary(ada, groupBy="user,project", format="xlsx", **more) for more in ({}, {"variant": "customer"})
        )
    )
    bars, _ = charts(summary(ada, groupBy="user", format="xlsx"))

    assert inside == [f"Subtotal Ben Okafor ({twin.email})" for twin in twins]
    assert set(outside) == {f"Subtotal Ben Okafor ({twin.get('me').body['id'][:8]})" for twin in twins}
    assert all(f"<c:v>{twin.email}</c:v>" in bars for twin in twins)
