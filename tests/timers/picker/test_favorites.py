"""Favorites: a person's own list of work items, in their order, at most fifty."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from shared.db.schema import favorites, users
from shared.errors import Conflict
from tests.privacy.erasure.test_person import ask, erase_due
from tests.support.exports import export
from tests.timers.work_items.test_work_items import refresh
from timers.picker.favorite_rules import MAX_FAVORITES, remove, set_position
from timers.picker.model import ItemKey


@pytest.fixture
def ada(world):
    return world.tenant()


def path(number, organization="contoso"):
    return f"work-items/{organization}/{number}/favorite"


def put(person, number, position=None, organization="contoso"):
    body = None if position is None else {"position": position}
    return person.http.send("PUT", path(number, organization), body, token=person.token)


def numbers(answer):
    return [each["id"] for each in answer.body["items"]]


def listed(person):
    return numbers(person.get("work-items/favorites"))


def stored(engine, person):
    with engine.connect() as tx:
        of = sa.select(favorites.c.work_item_id).join(users, users.c.id == favorites.c.user_id)
        own = of.where(users.c.entra_object_id == uuid.UUID(person.oid))
        return list(tx.scalars(own.order_by(favorites.c.position)))


def test_favorites_are_added_at_the_end_moved_and_removed(ada):
    answers = [put(ada, 1), put(ada, 2), put(ada, 3), put(ada, 3, 1), put(ada, 1), put(ada, 2, 50)]
    removed = [ada.delete(path(1)), ada.delete(path(1))]

    assert [numbers(each) for each in answers] == [[1], [1, 2], [1, 2, 3], [3, 1, 2], [3, 1, 2], [3, 1, 2]]
    assert [each.status for each in removed] == [204, 204]
    assert listed(ada) == [3, 2]


def test_favorites_are_private(world, ada):
    ben = world.member(ada)
    put(ada, 1)
    put(ben, 2)

    assert (listed(ada), listed(ben)) == ([1], [2])


def test_equal_numbers_in_two_organizations_are_two_favorites(ada):
    ada.post("organizations", {"name": "labs"})
    answers = [put(ada, 1), put(ada, 1, organization="LABS")]

    assert [(each["organization"], each["id"]) for each in answers[1].body["items"]] == [("contoso", 1), ("labs", 1)]


def test_another_tenants_organization_and_impossible_numbers_are_not_found(world, ada):
    world.tenant().post("organizations", {"name": "secret"})
    answers = [put(ada, 1, organization="secret"), put(ada, 0), put(ada, "x"), ada.delete(path(2**31))]

    assert [(each.status, each.code) for each in answers] == [(404, "not_found")] * 4


@pytest.mark.parametrize("position", [0, 51, 1.5, "1", True])
def test_an_impossible_position_is_refused(ada, position):
    answer = put(ada, 1, position)

    assert (answer.status, answer.body["errors"][0]["pointer"]) == (400, "/position")


def test_title_type_and_project_follow_the_rule_of_readings(world, ada, azure_devops):
    ben = world.member(ada)
    refresh(ada, [66], azure_devops.token())
    ben.enter(project="Invoices", workItemId=66)
    put(ada, 66)
    put(ben, 66)
    put(ben, 67)

    assert ada.get("work-items/favorites").body["items"] == [
        {
            "organization": "contoso",
            "id": 66,
            "project": "Billing",
            "type": "Epic",
            "title": "Invoices nobody has to ask about",
            "assigneeName": "Ada Lovelace",
            "state": "Active",
        }
    ]
    assert ben.get("work-items/favorites").body["items"] == [
        {"organization": "contoso", "id": 66, "project": "Invoices", "type": "Epic"},
        {"organization": "contoso", "id": 67},
    ]


def test_a_fifty_first_favorite_is_refused_and_changes_nothing(engine, ada):
    for number in range(1, MAX_FAVORITES + 1):
        put(ada, number)
    refused, moved = put(ada, 51, 1), put(ada, 50, 1)

    assert (refused.status, refused.code) == (409, "too_many_favorites")
    assert numbers(moved) == stored(engine, ada) == [50, *range(1, 50)]


@pytest.mark.parametrize("right", ["restricted", "objected", "consentWithdrawn"])
def test_no_favorite_of_a_restricted_person_is_stored(engine, world, ada, right):
    ben = world.member(ada)
    put(ben, 1)
    ben.patch("privacy", {right: True})
    refused, removed = put(ben, 2), ben.delete(path(1))

    assert (refused.status, refused.code, removed.status) == (403, "processing_restricted", 204)
    assert stored(engine, ben) == []


def test_concurrent_changes_of_one_person_leave_a_list_without_gaps(engine, ada):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: put(ada, number, 1), range(1, 9)))

    assert {each.status for each in answers} == {200}
    assert sorted(stored(engine, ada)) == list(range(1, 9))
    with engine.connect() as tx:
        places = sa.select(favorites.c.position).join(users, users.c.id == favorites.c.user_id)
        of_ada = places.where(users.c.entra_object_id == uuid.UUID(ada.oid))
        assert sorted(tx.scalars(of_ada)) == list(range(1, 9))


def test_the_export_has_ones_own_favorites_only(world, ada):
    ben = world.member(ada)
    put(ada, 7)
    put(ben, 8)
    rows = export(ben).body["sections"]["favorites"]["rows"]

    assert [(row["organization"], row["workItemId"], row["position"]) for row in rows] == [("contoso", 8, 1)]
    assert "favorites" not in export(ada, scope="tenant").body["sections"]


def test_an_erasure_removes_the_persons_favorites(app, clock, engine, world, ada):
    ben = world.member(ada)
    put(ada, 7)
    put(ben, 8)
    ask(ben)
    erase_due(app, clock)
    with engine.connect() as tx:
        of_tenant = favorites.c.tenant_id.in_(
            sa.select(users.c.tenant_id).where(users.c.entra_object_id == uuid.UUID(ada.oid))
        )
        left = tx.scalars(sa.select(favorites.c.work_item_id).where(of_tenant)).all()

    assert left == [7]


def test_a_change_of_favorites_takes_as_many_statements_however_many_there_are(ada, record_statements):
    for number in range(1, 12):
        put(ada, number)
    with record_statements() as sent:
        answer = put(ada, 11, 1)

    assert numbers(answer)[0] == 11
    assert len(sent) == 6, sent  # caller, organization, favorites; all removed, all added; what is shown of them


KEYS = st.builds(ItemKey, st.integers(1, 2), st.integers(1, 30))


@given(before=st.lists(KEYS, unique=True, max_size=MAX_FAVORITES), item=KEYS, position=st.integers(1, MAX_FAVORITES))
def test_a_placed_favorite_is_there_once_and_the_others_keep_their_order(before, item, position):
    if item not in before and len(before) == MAX_FAVORITES:
        with pytest.raises(Conflict):
            set_position(before, item, position)
        return
    after = set_position(before, item, position)

    assert after.index(item) == min(position, len(after)) - 1
    assert remove(after, item) == remove(before, item)
    assert len(after) == len(set(after)) <= MAX_FAVORITES
    assert set_position(after, item, position) == set_position(after, item, None) == after
