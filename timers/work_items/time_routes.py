"""The HTTP function of the time on one work item."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation
from shared.http.reply import Reply
from timers.team import store as team_store
from timers.team.schemas import RunningTimerOfUser
from timers.work_items import time_store
from timers.work_items.service import find_item
from timers.work_items.time_schemas import MAX_RUNNING, TimeTotal, WorkItemTime


blueprint = func.Blueprint()
_TAG: Final = "work items"


@route(
    blueprint,
    Operation(
        id="get_work_item_time",
        method=HTTPMethod.GET,
        path="work-items/{organization}/{id}/time",
        tag=_TAG,
        answers={200: Answer("The time on the work item", WorkItemTime)},
        problems=NOT_FOUND,
    ),
)
def get_work_item_time(call: Call) -> Reply:
    """Get the time on a work item.

    All time ever tracked on it, and the timers that run on it: your own, for admins also everyone's. The entries are
    in `GET /api/entries` with `organization` and `workItemId`.
    """
    with call.transaction() as tx:
        tenant_id, viewer, everyone = call.caller.tenant.id, call.caller.user.id, call.sees_everyone
        organization, number = find_item(tx, tenant_id, call.path("organization"), call.path("id"))
        this = (tenant_id, organization.id, number)
        own, total = time_store.read_totals(tx, *this, viewer=viewer)
        running = team_store.read_on_work_item(tx, *this, viewer=viewer, everyone=everyone, limit=MAX_RUNNING)
        time = WorkItemTime(
            organization=organization.name,
            work_item_id=number,
            own=TimeTotal.of(own),
            everyone=TimeTotal.of(total) if everyone else None,
            running_timers=[RunningTimerOfUser.of_team(each, now=call.now) for each in running],
        )
        return call.answer(tx, HTTPStatus.OK, time)
