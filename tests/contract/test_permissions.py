"""The permission matrix: every operation with every role, without a token, and from another tenant."""

import uuid

import pytest
import sqlalchemy as sa

import function_app
from shared.db.schema import users
from shared.http.operation import OPERATIONS
from shared.permissions import PERMISSIONS, Access
from shared.tenancy.model import Role
from tests.support.cases import check_all
from tests.support.world import WORK_ITEM


assert function_app.app, "indexing the app is what registers the operations"
BODIES = {
    "record_actions": {"type": "page.open", "page": "/reports/month"},
    "start_timer": WORK_ITEM,
    "change_running_timer": {"note": "in review"},
    "add_entry": {**WORK_ITEM, "startedAt": "2026-11-20T09:00:00Z", "stoppedAt": "2026-11-20T10:00:00Z"},
    "set_work_item_day": {"project": "Website", "elapsedMs": 3_600_000, "expectedMs": 0},
    "delete_entry_with_reason": {"reason": "by mistake"},
    "correct_entry": {"workItemId": 7, "reason": "wrong number"},
    "refresh_work_items": {"organization": "contoso", "ids": [42]},
    "add_users": {"users": [{"email": "new@contoso.example"}]},
    "merge_user": {"into": "6e74172b-be56-4843-9ff4-e66a39bb12e3"},
    "change_user": {"displayName": "Renamed"},
    "change_tenant": {"writeBack": True},
    "add_organization": {"name": "labs"},
    "change_organization": {"name": "labs"},
    "join_project": {"projectId": "6e74172b-be56-4843-9ff4-e66a39bb12e3"},
    "rename_me": {"displayName": "Renamed"},
    "change_rights": {"restricted": False},
    "name_nominee": {"name": "Charles Babbage", "contact": "charles@example.com"},
    "choose_mentions": {"items": [{"id": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "stays": True}]},
    "request_erasure": {"confirm": "nobody@contoso.example"},
    "agree_purchase": {"plan": "paid"},
    "create_tenant": {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "UTC"},
}
QUERIES = {
    "delete_entry": {"reason": "by mistake"},
    "search_work_items": {"search": "42"},
    "get_month_report": {"month": "2026-11"},
    "get_summary_report": {"from": "2026-11-01", "to": "2026-11-30"},
    "get_week_report": {"week": "2026-W48"},
}
PEOPLE = sorted(each for each, permission in PERMISSIONS.items() if permission.access >= Access.USER)
ABOUT_SOMEBODY = [name for name in PEOPLE if OPERATIONS[name].path.startswith("users/{id}")]
ABOUT_AN_ENTRY = [name for name in PEOPLE if OPERATIONS[name].path.startswith("entries/{id}")]
OF_AN_INVITATION = {"confirm_role", "merge_user"}  # which a colleague who has joined has not
# Of another token than people have, or of a visit to the landing page: tests/webhooks.
OWN_CHECK = {"receive_marketplace_event"} | {each.id for each in OPERATIONS.values() if each.for_browser}
TOKENS = sorted(each for each, permission in PERMISSIONS.items() if permission.access >= Access.TOKEN)


def call(http, name, token=None, target="6e74172b-be56-4843-9ff4-e66a39bb12e3"):
    """One call of an operation; `target` is the id in its path, if it has one."""
    operation = OPERATIONS[name]
    path = operation.path.replace("{id}", target).replace("{organization}", "contoso")
    path = path.replace("{month}", "2026-10").replace("{date}", "2026-11-20")
    headers = {"If-Match": "*"} if operation.if_match is not None else None
    return http.send(operation.method, path, BODIES.get(name), token=token, params=QUERIES.get(name), headers=headers)


def with_role(world, engine, role):
    person = world.member(world.tenant())
    with engine.begin() as tx:
        own = users.c.entra_object_id == uuid.UUID(person.oid)
        tx.execute(sa.update(users).where(own).values(role=role.value))
    return person


def test_every_operation_has_a_row_and_every_row_an_operation():
    assert {*OPERATIONS, "no_such_route"} == set(PERMISSIONS)


@pytest.mark.parametrize("role", list(Role))
def test_permissions_of_each_role_match_the_table(world, http, engine, role):
    def holds(name: str) -> None:
        person = with_role(world, engine, role)
        answer = call(http, name, person.token, target=person.get("me").body["id"])
        allowed = PERMISSIONS[name].access.admits(role)

        asks_for_more = answer.status == 403 and answer.code == "azure_devops_sign_in_required"
        assert (answer.status not in {401, 403} or asks_for_more) == allowed, answer.raw
        assert answer.status < 500

    check_all(holds, PEOPLE, at_least=60)


@pytest.mark.parametrize("role", list(Role))
def test_permissions_over_colleagues_match_the_table_and_never_reach_other_tenants(world, http, engine, role):
    def holds(name: str) -> None:
        person = with_role(world, engine, role)
        colleague, stranger = world.member(person), world.tenant()
        stranger_id = stranger.get("me").body["id"]
        to_colleague = call(http, name, person.token, target=colleague.get("me").body["id"])
        to_stranger = call(http, name, person.token, target=stranger_id)
        allowed = PERMISSIONS[name].access.admits(role)
        done = 409 if name in OF_AN_INVITATION else 200

        assert to_colleague.status == (done if allowed else 403), to_colleague.raw
        assert to_stranger.status == (404 if allowed else 403), to_stranger.raw
        assert stranger.get("me").body["id"] == stranger_id

    check_all(holds, ABOUT_SOMEBODY, at_least=6)


@pytest.mark.parametrize("role", list(Role))
def test_an_entry_is_visible_to_its_person_and_admins_only(world, http, engine, role):
    def holds(name: str) -> None:
        person = with_role(world, engine, role)
        colleague, stranger = world.member(person), world.tenant()
        own, colleagues, strangers = (each.enter().body["id"] for each in (person, colleague, stranger))
        done = {"delete_entry": 204, "delete_entry_with_reason": 204, "write_back_entry": 409}.get(
            name, 200
        )  # it is off until somebody turns it on

        assert call(http, name, person.token, target=strangers).status == 404
        assert call(http, name, person.token, target=colleagues).status == (404 if role is Role.USER else done)
        assert call(http, name, person.token, target=own).status == done
        assert stranger.get(f"entries/{strangers}").body["version"] == 1

    check_all(holds, ABOUT_AN_ENTRY, at_least=5)


def test_every_operation_but_public_ones_needs_a_token(http):
    def holds(name: str) -> None:
        answer = call(http, name)

        assert (answer.status, answer.code) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    check_all(holds, TOKENS, at_least=60)


def test_an_unknown_directory_is_refused(world, http):
    def holds(name: str) -> None:
        answer = call(http, name, world.person().token)

        assert (answer.status, answer.code) == (403, "tenant_not_registered")

    check_all(holds, PEOPLE, at_least=60)


def test_a_public_operation_needs_no_token(http):
    def holds(name: str) -> None:
        assert call(http, name).status == 200

    check_all(holds, sorted(set(OPERATIONS) - set(TOKENS) - OWN_CHECK), at_least=2)


def test_ids_of_another_tenant_are_not_found(world):
    ada, bob = world.tenant(name="Ada's secret marker"), world.tenant()
    ada.start(471147114, project="Marker project", note="marker note")
    ada.stop()
    ada_id = ada.get("me").body["id"]
    answers = [
        bob.get("timer-log", user=ada_id),
        bob.get("timer-log", after=f"{ada.log()[0]['timerId']}.stopped.1"),
        *(call(bob.http, name, bob.token, target=ada_id) for name in PEOPLE),
    ]

    assert answers[0].status == 404
    assert answers[1].status == 400
    assert ada.get("me").body["id"] == ada_id
    for answer in answers:
        assert b"marker" not in answer.raw.lower()
        assert ada_id.encode() not in answer.raw
        assert b"471147114" not in answer.raw
