"""Null in a body: it deletes a value where the contract says so, and is refused everywhere else."""

from typing import Any

import jsonschema_rs
import pytest

import function_app
from shared.http.nulls import null_errors
from shared.http.openapi import document
from shared.http.operation import OPERATIONS
from tests.contract.test_permissions import BODIES
from tests.support.cases import check_all
from tests.support.world import new_id


pytestmark = pytest.mark.http_only
assert function_app.app, "indexing the app is what registers the operations"
VALID: dict[str, Any] = BODIES
DELETED_BY_NULL = {("change_running_timer", "note"), ("correct_entry", "note")}
BODY_OPERATIONS = [each for each in OPERATIONS.values() if each.body is not None and not each.for_browser]
OPTIONAL = [
    (each.id, field.alias)
    for each in BODY_OPERATIONS
    if each.body is not None
    for field in each.body.model_fields.values()
    if not field.is_required() and field.default is None
]


def schema_of(name):
    schemas = document()["components"]["schemas"]
    body = OPERATIONS[name].body
    assert body is not None
    return {"$ref": f"#/components/schemas/{body.__name__}", "components": {"schemas": schemas}}


@pytest.mark.parametrize(("name", "field"), OPTIONAL)
def test_null_is_refused_where_the_contract_has_none(name, field):
    model = OPERATIONS[name].body
    assert model is not None
    body = {**VALID.get(name, {}), field: None}
    errors = [error.pointer for error in null_errors(model, body)]

    assert errors == ([] if (name, field) in DELETED_BY_NULL else [f"/{field}"])
    assert (name == "record_actions") or jsonschema_rs.is_valid(schema_of(name), body) == (not errors)


def test_every_null_is_listed_with_the_other_errors(world):
    ada = world.tenant()
    rows = [{"email": "a@contoso.example", "displayName": None}, {"email": "b@contoso.example", "objectId": None}]
    nested = ada.post("users", {"users": rows})
    several = ada.patch("tenant", {"name": None, "timeZone": "Mars/Base", "writeBack": None}, version=1)
    stop = ada.post("timers/stop", {"note": None})

    def errors(answer):
        assert (answer.status, answer.code) == (400, "invalid_body")
        return {error["pointer"]: error["detail"] for error in answer.body["errors"]}

    refused = "must not be null; leave the field out"
    assert errors(nested) == {"/users/0/displayName": refused, "/users/1/objectId": refused}
    assert errors(several).keys() == {"/name", "/writeBack", "/timeZone"}
    assert errors(stop) == {"/note": refused}


def test_null_changes_nothing_in_any_patch(world):
    ada = world.tenant()
    ada.start(7)
    entry = ada.enter().body["id"]
    me = ada.get("me").body["id"]
    organization = ada.get("organizations").body["items"][0]["id"]
    ids = {"change_user": me, "change_organization": organization, "correct_entry": entry}

    def is_refused(operation):
        path = operation.path.replace("{id}", ids.get(operation.id, new_id()))
        for field in operation.body.model_fields.values():
            if (operation.id, field.alias) not in DELETED_BY_NULL:
                answer = ada.http.send("PATCH", path, {field.alias: None}, token=ada.token, headers={"If-Match": "*"})
                assert (answer.status, answer.code) == (400, "invalid_body"), field.alias
                assert [each["pointer"] for each in answer.body["errors"]] == [f"/{field.alias}"]

    check_all(is_refused, [each for each in BODY_OPERATIONS if each.method == "PATCH"], at_least=7)


def test_there_are_optional_fields_in_many_bodies():
    assert len(OPTIONAL) >= 25


def test_a_patch_may_be_sent_as_a_merge_patch_and_a_post_may_not(world, http):
    ada = world.tenant()
    ada.start(7)
    headers = {"Content-Type": "application/merge-patch+json"}
    changed = http.send("PATCH", "timers/running", {"note": "in review"}, token=ada.token, headers=headers)
    refused = http.send("POST", "timers/stop", {"note": "in review"}, token=ada.token, headers=headers)

    assert (changed.status, changed.body["note"], refused.status) == (200, "in review", 415)
