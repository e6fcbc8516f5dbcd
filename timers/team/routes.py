"""The HTTP function that shows admins who is running what."""

from http import HTTPMethod, HTTPStatus
from urllib.parse import urlencode

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from timers.cursor import PageEnd
from timers.team import store as team_store
from timers.team.schemas import RunningTimerOfUser, TimersPage, TimersQuery


blueprint = func.Blueprint()


@route(
    blueprint,
    Operation(
        id="list_timers",
        method=HTTPMethod.GET,
        path="timers",
        tag="timers",
        query=TimersQuery,
        answers={200: Answer("A page of running timers", TimersPage)},
    ),
)
def list_timers(call: Call, query: TimersQuery) -> Reply:
    """Who is running what since when, oldest start first."""
    end = PageEnd.of(query.after)
    with call.transaction() as tx:
        tenant_id, viewer = call.caller.tenant.id, call.caller.user.id
        found = team_store.page(tx, tenant_id, viewer=viewer, end=end, most=query.page_size + 1)
        items = [RunningTimerOfUser.of_team(each, now=call.now) for each in found[: query.page_size]]
        link = None
        if len(found) > query.page_size:
            after = PageEnd(items[-1].id, items[-1].started_at)
            link = "/api/timers?" + urlencode({"pageSize": query.page_size, "after": str(after)})
        return call.answer(tx, HTTPStatus.OK, TimersPage(items=items, next_link=link))
