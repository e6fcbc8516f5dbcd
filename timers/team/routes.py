"""The HTTP function that lists all running timers for admins."""

from http import HTTPMethod, HTTPStatus

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.paging import PageQuery, TimeCursor
from shared.http.reply import Reply
from timers.team import store as team_store
from timers.team.schemas import RunningTimerOfUser, TimersPage


blueprint = func.Blueprint()


@route(
    blueprint,
    Operation(
        id="list_timers",
        method=HTTPMethod.GET,
        path="timers",
        tag="timers",
        query=PageQuery,
        answers={200: Answer("A page of running timers", TimersPage)},
    ),
)
def list_timers(call: Call, query: PageQuery) -> Reply:
    """List all running timers.

    Oldest start first.
    """
    after = TimeCursor.parse(query.after)
    with call.transaction() as tx:
        tenant_id, viewer = call.caller.tenant.id, call.caller.user.id
        timers = team_store.read_page(tx, tenant_id, viewer=viewer, after=after, limit=query.limit)
        items = [RunningTimerOfUser.of_team(each, now=call.now) for each in timers[: query.page_size]]
        link = query.next_link(call.link("timers"), timers, lambda row: TimeCursor(row.timer.id, row.timer.started_at))
        return call.answer(tx, HTTPStatus.OK, TimersPage(items=items, next_link=link))
