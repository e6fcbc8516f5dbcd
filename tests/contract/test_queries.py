"""Query parameters are alike in every operation: one spelling of booleans, and `me` for the caller."""

import pytest

import function_app
from shared.http.openapi import document
from tests.contract.test_permissions import QUERIES


pytestmark = pytest.mark.http_only
assert function_app.app, "indexing the app is what registers the operations"


def _parameters():
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "query":
                    yield operation["operationId"], path.removeprefix("/api/"), parameter


def _is_boolean(schema):
    return "boolean" in {each.get("type") for each in (schema, *schema.get("anyOf", ()))}


FLAGS = [(name, path, each["name"]) for name, path, each in _parameters() if _is_boolean(each["schema"])]
USERS = [(name, path) for name, path, each in _parameters() if each["name"] == "user"]


@pytest.mark.parametrize(("name", "path", "parameter"), FLAGS)
def test_a_boolean_in_a_query_is_true_or_false(world, name, path, parameter):
    ada = world.tenant()
    others = {**QUERIES.get(name, {})}
    accepted = [ada.get(path, **{**others, parameter: value}) for value in ("true", "false")]
    refused = [ada.get(path, **{**others, parameter: value}) for value in ("yes", "True", "1", "on", " true", "")]

    assert {answer.status for answer in accepted} == {200}
    assert {(answer.status, answer.code) for answer in refused} == {(400, "invalid_query")}
    assert {str(answer.body["errors"]) for answer in refused} == {
        str([{"pointer": parameter, "detail": "must be true or false"}])
    }


@pytest.mark.parametrize(("name", "path"), USERS)
def test_me_is_the_caller_in_a_filter(world, name, path):
    ada = world.tenant()
    ben = world.member(ada)
    for person in (ada, ben):
        person.enter()
        person.post("actions", {"type": "report.open", "page": "/reports"})
    own = ada.get("me").body["id"]
    by_me, by_id = (ada.get(path, **{**QUERIES.get(name, {}), "user": value}) for value in ("me", own))

    assert by_me.status == by_id.status == 200
    assert without_audit(by_me) == without_audit(by_id)


def without_audit(answer):
    """The body without the audit section of an export, since every export adds a row to it."""
    sections = answer.body.get("sections", {})
    return {**answer.body, "sections": {key: rows for key, rows in sections.items() if key != "audit"}}


def test_each_kind_of_parameter_has_operations():
    assert len(FLAGS) >= 5
    assert len(USERS) >= 6
