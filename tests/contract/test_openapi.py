import re
from pathlib import Path

import openapi_spec_validator

import function_app
from shared.http.openapi import document
from shared.http.operation import OPERATIONS
from tests.support.cases import check_all
from tools.docs.api import render


ROOT = Path(__file__).resolve().parents[2]
assert function_app.app, "indexing the app is what registers the operations"


def test_the_contract_lists_every_operation_once():
    listed = [each["operationId"] for methods in document()["paths"].values() for each in methods.values()]

    assert sorted(listed) == sorted(OPERATIONS)


def test_the_served_contract_is_the_document(http):
    answer = http.send("GET", "openapi.json")

    assert answer.status == 200
    assert answer.body["openapi"] == "3.1.0"
    assert answer.body == document()


def test_every_reference_has_its_schema():
    schemas = document()["components"]["schemas"]
    named = set(re.findall(r"#/components/schemas/(\w+)", str(document())))

    assert named <= set(schemas)


def test_the_document_is_valid_openapi():
    openapi_spec_validator.validate(document())


def test_the_api_page_is_up_to_date():
    assert (ROOT / "docs/api.md").read_text() == render(document(), OPERATIONS)


def test_a_response_with_an_etag_links_to_the_operations_that_take_it():
    paths = document()["paths"]
    read, add = paths["/api/entries/{id}"]["get"], paths["/api/entries"]["post"]
    change = paths["/api/entries/{id}"]["patch"]

    assert (
        set(read["responses"]["200"]["links"])
        == set(add["responses"]["201"]["links"])
        == {"correct_entry", "delete_entry_with_reason"}
    )
    assert read["responses"]["200"]["links"]["correct_entry"]["parameters"] == {
        "path.id": "$response.body#/id",
        "header.If-Match": "$response.header.ETag",
    }
    assert [each["required"] for each in change["parameters"] if each["name"] == "If-Match"] == [True]
    assert {"412", "428"} <= set(change["responses"])


def test_every_operation_has_a_summary_and_a_response():
    def holds(name: str) -> None:
        assert OPERATIONS[name].summary
        assert OPERATIONS[name].answers
        assert not OPERATIONS[name].path.startswith(("/", "api"))

    check_all(holds, OPERATIONS, at_least=70)
