"""Recent work items follow from the running timer and the entries; nothing is stored for them."""

import pytest

from tests.timers.work_items.test_work_items import refresh


@pytest.fixture
def ada(world):
    return world.tenant()


def recent(person):
    answer = person.get("work-items/recent")
    assert answer.status == 200, answer.raw
    return answer.body["items"]


def numbers(person):
    return [each["id"] for each in recent(person)]


def test_recent_work_items_are_distinct_and_the_latest_start_comes_first(ada):
    for day, number in ((10, 1), (11, 2), (12, 3), (13, 1), (9, 4)):
        ada.enter(f"2026-11-{day:02}T09:00:00Z", f"2026-11-{day:02}T10:00:00Z", workItemId=number)
    ada.start(5)

    assert numbers(ada) == [5, 1, 3, 2, 4]
    assert recent(ada)[1] == {
        "organization": "contoso",
        "id": 1,
        "project": "Website",
        "lastStartedAt": "2026-11-13T09:00:00.000Z",
    }


def test_a_running_timer_on_a_work_item_with_entries_is_one_item(ada):
    ada.enter(workItemId=5)
    ada.start(5)

    assert [(each["id"], each["lastStartedAt"]) for each in recent(ada)] == [(5, "2026-11-23T09:00:00.000Z")]


def test_everyone_has_recent_work_items_of_their_own(world, ada):
    ben, eve = world.member(ada), world.tenant()
    ada.enter(workItemId=1)
    ben.enter(workItemId=2)
    ben.start(3)

    assert [numbers(each) for each in (ada, ben, eve)] == [[1], [3, 2], []]


def test_a_deleted_entry_leaves_nothing(ada):
    ada.remove(ada.enter(workItemId=1))

    assert recent(ada) == []


def test_equal_numbers_in_two_organizations_are_two_items(ada):
    ada.post("organizations", {"name": "labs"})
    ada.enter("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z")
    ada.enter("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", organization="labs")

    assert [(each["organization"], each["id"]) for each in recent(ada)] == [("labs", 42), ("contoso", 42)]


def test_the_project_is_that_of_azure_devops_where_the_person_has_read_it(world, ada, azure_devops):
    ben = world.member(ada)
    for each in (ada, ben):
        each.enter(workItemId=66, project="Invoices")
    refresh(ada, [66], azure_devops.token())

    assert [(each["project"], each["type"], each.get("title")) for each in (*recent(ada), *recent(ben))] == [
        ("Billing", "Epic", "Invoices nobody has to ask about"),
        ("Invoices", "Epic", None),
    ]


def test_a_joined_project_has_the_name_that_it_counts_as(ada):
    ada.enter(project="Old name", workItemId=1)
    ada.enter(project="New name", workItemId=2)
    projects = {each["name"]: each["id"] for each in ada.get("projects").body["items"]}
    ada.post(f"projects/{projects['Old name']}/join", {"projectId": projects["New name"]})

    assert {each["project"] for each in recent(ada)} == {"New name"}


def test_at_most_twenty_are_listed_with_two_statements(ada, record_statements):
    for number in range(1, 23):
        ada.enter(f"2026-11-{number:02}T08:00:00Z", f"2026-11-{number:02}T08:30:00Z", workItemId=number)
    with record_statements() as sent:
        listed = numbers(ada)

    assert listed == list(range(22, 2, -1))
    assert len(sent) == 2, sent  # caller, work items
