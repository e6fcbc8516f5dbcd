"""Reports with a token refresh work items in a fixed order, and count the titles that are not visible."""

import io

import openpyxl
import pytest

from reports import title_flow
from tests.tenants.organizations.test_organizations import add
from tests.timers.work_items.test_titles import report
from tests.timers.work_items.test_work_items import HEADER, refresh
from timers.work_items import lookup_flow


OLD, NEWER, NEWEST, SECRET = 42, 57, 61, 66


def statuses(answer):
    return {row["workItem"]["id"]: row["workItem"]["titleStatus"] for row in answer.body["rows"]}


def counts(answer):
    return tuple(answer.body["titles"][name] for name in ("shown", "hidden", "notAsked"))


def enter(person, number, day, **more):
    return person.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z", workItemId=number, **more)


@pytest.fixture
def ada(world):
    """The super admin, with an hour on each of four items, the last one in another project."""
    ada = world.tenant()
    for number, day in ((OLD, 10), (NEWER, 11), (NEWEST, 12)):
        enter(ada, number, day)
    enter(ada, SECRET, 13, project="Billing")
    return ada


@pytest.fixture
def token_without_billing(azure_devops):
    return azure_devops.token(hidden=["Billing"])


def test_a_report_counts_titles_by_status(ada, azure_devops, token_without_billing):
    before, asked, after = report(ada), report(ada, token_without_billing), report(ada)
    seen = report(ada, azure_devops.token())

    assert [counts(each) for each in (before, asked, after, seen)] == [(0, 0, 4), (3, 1, 0), (3, 0, 1), (4, 0, 0)]
    assert statuses(asked) == {OLD: "shown", NEWER: "shown", NEWEST: "shown", SECRET: "hidden"}
    assert "titles" not in report(ada, groupBy="project").body


def test_an_item_in_several_rows_counts_once(world, ada):
    enter(ada, OLD, 14)
    enter(world.member(ada), OLD, 15)

    assert counts(report(ada, groupBy="user,workItem,day")) == (0, 0, 4)


def test_items_without_a_visible_title_are_refreshed_first_and_newest_work_first(world, ada, azure_devops, monkeypatch):
    monkeypatch.setattr(title_flow, "MOST", 2)
    first = report(ada, azure_devops.token())
    second = report(ada, azure_devops.token())
    world.clock.tick(days=2)
    ada = world.renew_token(ada)
    enter(ada, 71, "09")
    for number in (OLD, NEWER, NEWEST, SECRET, 71):
        azure_devops.edit(number, Title=f"Another title of {number}")
    third = report(ada, azure_devops.token())
    titles = {row["workItem"]["id"]: row["workItem"]["title"] for row in third.body["rows"]}

    assert statuses(first) == {OLD: "notAsked", NEWER: "notAsked", NEWEST: "shown", SECRET: "shown"}
    assert counts(second) == (4, 0, 0)
    assert {number for number, title in titles.items() if title.startswith("Another")} == {71, SECRET}


def test_all_titles_of_a_long_report_are_loaded_a_page_at_a_time(ada, azure_devops, token_without_billing, monkeypatch):
    monkeypatch.setattr(title_flow, "MOST", 1)
    first = report(ada, token_without_billing)
    waiting = [number for number, status in statuses(first).items() if status == "notAsked"]
    refused = [number for number, status in statuses(first).items() if status == "hidden"]
    for start in range(0, len(waiting), 2):
        refused += refresh(ada, waiting[start : start + 2], token_without_billing).body["missing"]
    left = [number for number, status in statuses(report(ada)).items() if status == "notAsked"]

    assert (len(waiting), refused, left) == (3, [SECRET], [SECRET])
    assert azure_devops.hits("batch") > 0


@pytest.fixture
def fails_when(azure_devops, monkeypatch):
    """Makes Azure DevOps refuse the requests for work items that meet the condition."""

    def fails(condition):
        def look_up(app, caller, organization, numbers, session):
            if condition(organization, numbers):
                azure_devops.set_fault("batch", status=401)
            try:
                return lookup_flow.look_up(app, caller, organization, numbers, session)
            finally:
                azure_devops.clear_faults()

        monkeypatch.setattr(title_flow, "look_up", look_up)

    return fails


def test_a_failed_batch_keeps_the_titles_of_earlier_batches(ada, azure_devops, monkeypatch, fails_when):
    monkeypatch.setattr(title_flow, "MAX_BATCH", 1)
    fails_when(lambda _, numbers: NEWEST in numbers)
    made = report(ada, azure_devops.token())

    assert statuses(made) == {OLD: "notAsked", NEWER: "notAsked", NEWEST: "notAsked", SECRET: "shown"}


def test_a_refusing_organization_does_not_affect_titles_of_another(ada, azure_devops, monkeypatch, fails_when):
    monkeypatch.setattr(title_flow, "MAX_BATCH", 2)
    add(ada, "contoso-labs")
    enter(ada, OLD, 20, organization="contoso-labs")
    fails_when(lambda organization, _: organization.name == "contoso-labs")

    assert counts(report(ada, azure_devops.token())) == (4, 0, 1)


def test_only_titles_that_the_report_shows_are_requested(world, ada, azure_devops):
    before = azure_devops.hits("batch")
    by_project = report(ada, azure_devops.token(), groupBy="project")
    of_nobody = report(world.member(ada), azure_devops.token())
    unasked = azure_devops.hits("batch")
    of_billing = report(ada, azure_devops.token(), project="Billing")

    assert (by_project.status, of_nobody.body["rows"], unasked) == (200, [], before)
    assert counts(of_billing) == (1, 0, 0)
    assert counts(report(ada)) == (1, 0, 3)


def test_a_filter_by_type_finds_types_that_nobody_had_read(ada, azure_devops):
    made = report(ada, azure_devops.token(), groupBy="project", type="Epic")

    assert (made.body["totalMs"], made.body["unknownMs"]) == (3_600_000, 0)


def lines(answer, sheet=0):
    book = openpyxl.load_workbook(io.BytesIO(answer.raw))
    return [[cell.value for cell in row] for row in book.worksheets[sheet]]


@pytest.mark.parametrize("path", ["reports/summary", "reports/week"])
@pytest.mark.parametrize("variant", [{}, {"variant": "customer"}])
def test_a_workbook_has_the_number_of_titles_and_how_to_load_the_rest(
    ada, azure_devops, token_without_billing, path, variant
):
    refresh(ada, [OLD, NEWER], azure_devops.token())
    span = {"from": "2026-11-09"} | ({"to": "2026-11-15", "groupBy": "workItem"} if path == "reports/summary" else {})
    asked = {**span, "format": "xlsx", **variant}

    def facts(token=None):
        headers = {} if token is None else {HEADER: token}
        answer = ada.http.send("GET", path, token=ada.token, params=asked, headers=headers)
        return [line[1:3] for line in lines(answer) if line[0] == "Titles"], answer

    without, _ = facts()
    refused, _ = facts(token_without_billing)
    whole, answer = facts(azure_devops.token())
    book = openpyxl.load_workbook(io.BytesIO(answer.raw))
    head, *listed = [[cell.value for cell in row] for row in book["Details"]]
    at = head.index("Title")

    not_read = "open the report in Azure DevOps to load the rest"
    assert without == [["2 of 4", not_read]]
    assert refused == [["3 of 4", "Azure DevOps does not show you the rest"]]
    assert whole == []
    assert [line[at] for line in listed[:4]][-1] == "Invoices nobody has to ask about"


def test_a_csv_has_for_each_row_whether_its_title_is_shown(ada, azure_devops):
    refresh(ada, [OLD], azure_devops.token())
    head, *rows = [line.split(",") for line in report(ada, format="csv").raw.decode("utf-8-sig").splitlines()]
    at = head.index('"Title shown"') if '"Title shown"' in head else head.index("Title shown")

    assert [row[at].strip('"') for row in rows] == ["yes", "no", "no", "no"]
