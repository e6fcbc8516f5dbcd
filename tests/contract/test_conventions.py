"""Conventions that every operation follows: ETag, Location, nextLink, error codes, media types.

`tests/support/contract.py` checks in every test that a response has the headers that its operation declares.
"""

import re

import pytest

import function_app
from shared.http.openapi import document, problem_codes
from shared.http.operation import ETAG, JSON, LOCATION, OPERATIONS
from shared.http.paging import CursorQuery
from shared.http.problem import PROBLEM_JSON
from tests.contract.test_permissions import BODIES, QUERIES
from tests.support.cases import check_all
from tests.support.world import new_id


pytestmark = pytest.mark.http_only
assert function_app.app, "indexing the app is what registers the operations"
JSON_OPERATIONS = [name for name, each in OPERATIONS.items() if not each.for_browser]
READ_AT = {each.path: each for each in OPERATIONS.values() if each.method == "GET"}
CHANGED_BY_VERSION = sorted(name for name, each in OPERATIONS.items() if each.if_match is not None)
PAGED = sorted(name for name, each in OPERATIONS.items() if each.query and issubclass(each.query, CursorQuery))
CREATING = sorted(name for name, each in OPERATIONS.items() if 201 in each.answers)
# Named in the address of no read operation: members of a list, which is read as a whole
WITHOUT_ADDRESS = {"add_organization", "request_erasure"}


def described(name):
    operation = OPERATIONS[name]
    return document()["paths"][f"/api/{operation.path}"][operation.method.lower()]


def test_what_is_changed_at_a_version_is_read_with_it_and_changed_to_the_next():
    def holds(name: str) -> None:
        operation = OPERATIONS[name]
        resource = re.match(r"\w+(?:/{\w+})?", operation.path)
        read = next(READ_AT[path] for path in (operation.path, resource and resource[0]) if path in READ_AT)

        assert ETAG in read.answers[200].headers
        assert all(ETAG in answer.headers for status, answer in operation.answers.items() if status != 204)

    check_all(holds, CHANGED_BY_VERSION, at_least=6)


def test_a_created_resource_has_its_address_if_it_can_be_read_alone():
    def holds(name: str) -> None:
        operation = OPERATIONS[name]

        assert (LOCATION not in operation.answers[201].headers) == (name in WITHOUT_ADDRESS)
        assert name not in WITHOUT_ADDRESS or f"{operation.path}/{{id}}" not in READ_AT

    check_all(holds, CREATING, at_least=5)


def test_a_paged_list_has_a_next_link_and_nothing_else_has_one():
    def holds(name: str) -> None:
        fields = {
            field
            for answer in OPERATIONS[name].answers.values()
            if answer.model is not None
            for field in answer.model.model_fields
        }

        assert ("next_link" in fields) == (name in PAGED)

    check_all(holds, JSON_OPERATIONS, at_least=60)


def test_a_next_link_is_absolute_and_leads_to_the_next_page(world):
    ada = world.tenant()
    ben = world.member(ada)
    for person in (ada, ben):
        person.enter()
        person.start()
        person.post("actions", {"type": "page.open", "page": "/hub"})
    for role in ("admin", "super_admin"):
        ada.patch(f"users/{ben.get('me').body['id']}", {"role": role})
    linked = {}
    for name in PAGED:
        first = ada.get(OPERATIONS[name].path, pageSize="1").body
        if "nextLink" in first:
            linked[name] = first["nextLink"]
            second = ada.get(first["nextLink"])

            assert first["nextLink"].startswith(f"{ada.http.base}/api/{OPERATIONS[name].path}?"), name
            assert second.status == 200
            assert second.body["items"] != first["items"]

    assert linked.keys() >= {"list_entries", "list_timer_log", "list_audit", "list_actions", "list_users"}


def test_a_client_can_switch_over_every_error_code():
    """Each code of a response has its own schema; the member `code` is the discriminator."""
    schemas = document()["components"]["schemas"]

    def holds(name: str) -> None:
        for status, codes in problem_codes(OPERATIONS[name]).items():
            schema = described(name)["responses"][str(status)]["content"][PROBLEM_JSON]["schema"]
            references = [each["$ref"] for each in schema.get("oneOf", [schema])]
            models = [schemas[each.rpartition("/")[2]] for each in references]

            assert [each["properties"]["code"]["const"] for each in models] == list(codes)
            assert all("code" in each["required"] for each in models)
            if len(references) > 1:
                assert schema["discriminator"] == {
                    "propertyName": "code",
                    "mapping": dict(zip(codes, references, strict=True)),
                }

    check_all(holds, JSON_OPERATIONS, at_least=60)


def test_json_is_the_first_of_several_media_types_and_files_are_binary():
    def holds(name: str) -> None:
        for status in OPERATIONS[name].answers:
            content = described(name)["responses"][str(status)].get("content", {})
            files = {media: each["schema"] for media, each in content.items() if not media.startswith(("text/", JSON))}

            assert len(content) < 2 or next(iter(content)) == JSON
            assert all(schema == {"type": "string", "format": "binary"} for schema in files.values())

    check_all(holds, JSON_OPERATIONS, at_least=60)


def test_no_field_of_the_contract_has_null_as_its_default():
    text = str(document())

    assert "'default': None" not in text


@pytest.mark.parametrize("name", CHANGED_BY_VERSION)
def test_a_weak_or_malformed_version_is_refused_wherever_one_is_taken(world, name):
    ada = world.tenant()
    operation, path = OPERATIONS[name], OPERATIONS[name].path.replace("{id}", new_id())
    body, params = BODIES.get(name), QUERIES.get(name)
    answers = [
        ada.http.send(operation.method, path, body, token=ada.token, params=params, headers={"If-Match": tag})
        for tag in ('W/"1"', "1", '"1", W/"2"')
    ]

    assert {(answer.status, answer.code) for answer in answers} == {(400, "invalid_if_match")}
