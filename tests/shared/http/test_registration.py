"""A handler is checked when its route is registered."""

from http import HTTPMethod

import azure.functions as func
import pytest

import function_app
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import OPERATIONS, Operation, merge_problems
from shared.http.wire import NoFields, WireModel


assert function_app.app, "importing the app registers the operations"


class Query(WireModel):
    after: str | None = None


DECLARED = Operation(
    id="sign_in", method=HTTPMethod.POST, path="nowhere", tag="test", answers={}, body=NoFields, query=Query
)


def without_query(call: Call, body: NoFields):
    """A docstring."""


def with_another_type(call: Call, body: Query, query: Query):
    """A docstring."""


def with_another_name(call: Call, body: NoFields, filters: Query):
    """A docstring."""


def without_docstring(call: Call, body: NoFields, query: Query):
    pass


@pytest.mark.parametrize("handler", [without_query, with_another_type, with_another_name, without_docstring])
def test_a_handler_that_does_not_fit_its_operation_is_refused(handler):
    before = dict(OPERATIONS)
    with pytest.raises(TypeError, match="sign_in needs a docstring and the parameters"):
        route(func.Blueprint(), DECLARED)(handler)

    assert before == OPERATIONS


def test_the_docstring_is_the_summary_and_the_description():
    operation = OPERATIONS["get_health"]

    assert (operation.summary, operation.description) == (
        "Health of the service and its database",
        "The database is queried at most every five seconds.",
    )


def test_groups_of_problems_are_merged_by_status():
    merged = merge_problems({404: ("not_found",)}, {404: ("not_found", "other"), 409: ("conflict",)})

    assert merged == {404: ("not_found", "other"), 409: ("conflict",)}
