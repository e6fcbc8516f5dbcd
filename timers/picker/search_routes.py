"""The HTTP function of the search for work items."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from shared.tenancy import organization_store
from timers.picker import search_flow
from timers.picker.model import SearchState
from timers.picker.schemas import FoundWorkItems, ListedWorkItem, SearchQuery
from timers.search_rules import Search


blueprint = func.Blueprint()
_TAG: Final = "work items"


@route(
    blueprint,
    Operation(
        id="search_work_items",
        method=HTTPMethod.GET,
        path="work-items",
        tag=_TAG,
        query=SearchQuery,
        asks_azure_devops=True,
        answers={200: Answer("The best matches", FoundWorkItems)},
    ),
)
def search_work_items(call: Call, query: SearchQuery) -> Reply:
    """Search work items.

    By number, by its first digits, or by words of the title; at most 20, the best matches first. Searched are the
    items of your own time, those that you read in Azure DevOps in the last 30 days, and for admins a number with
    anybody's time. With your X-AzureDevOps-Token, Azure DevOps is asked too, for at most three seconds.
    """
    search = Search.parse(query.search)
    with call.transaction() as tx:
        tenant = call.caller.tenant
        organization = organization_store.find(tx, tenant.id, query.organization or tenant.organization)
    if organization is None:
        return Reply.of(HTTPStatus.OK, FoundWorkItems(items=[], azure_dev_ops=SearchState.NOT_ASKED))
    answer = search_flow.ask_azure_devops(call, search, organization)
    only = None if query.organization is None else organization.name
    items = search_flow.merge_results(call, search, only, answer)
    found = FoundWorkItems(
        items=[ListedWorkItem.of(each) for each in items],
        azure_dev_ops=answer.state,
        azure_dev_ops_reason=None if answer.error is None else answer.error.code,
        azure_dev_ops_detail=None if answer.error is None else answer.error.detail,
    )
    return Reply.of(HTTPStatus.OK, found)
