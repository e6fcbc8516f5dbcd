"""The HTTP functions around a timer: start, stop, the running one, and the log."""

import uuid
from http import HTTPMethod, HTTPStatus
from typing import Final
from urllib.parse import urlencode

import azure.functions as func
import sqlalchemy as sa

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.parsing import not_a_page_end, public_id, require_page
from shared.http.reply import Reply
from shared.http.wire import NoFields, dump
from shared.tracking import model
from shared.tracking.schemas import RunningTimer, TimeEntry
from shared.tracking.store import find_running
from timers import service, store_log
from timers.schemas import StartedTimer, StartTimer, TimerLogItem, TimerLogPage, TimerLogQuery


blueprint = func.Blueprint()
_TAG: Final = "timers"


@route(
    blueprint,
    Operation(
        id="start_timer",
        method=HTTPMethod.POST,
        path="timers/start",
        tag=_TAG,
        summary="Start a timer on a work item",
        description="One timer runs per person. The same work item again answers 200 with the timer that runs; another "
        "one answers 409 and carries it, unless `switch` stops it and starts the new one in one step.",
        body=StartTimer,
        answers={201: Answer("It runs", StartedTimer), 200: Answer("It was running already", StartedTimer)},
        problems={
            400: ("wrong_organization",),
            402: ("trial_expired", "subscription_suspended", "subscription_cancelled"),
            409: ("timer_already_running",),
        },
    ),
)
def start_timer(call: Call, body: StartTimer) -> Reply:
    with call.transaction() as tx:
        try:
            started = service.start(tx, call.caller, body.to_start(), now=call.now, new_id=call.app.new_id)
        except service.AnotherRuns as error:
            error.extra["runningTimer"] = dump(_wire(call, error.timer))
            raise
        wire = StartedTimer.of(started.timer, user=call.caller.user.public_id, now=call.now)
        if started.stopped is not None:
            stopped = TimeEntry.of(started.stopped, user=call.caller.user.public_id)
            wire = wire.model_copy(update={"stopped": stopped})
        return call.answer(tx, HTTPStatus.CREATED if started.is_new else HTTPStatus.OK, wire)


@route(
    blueprint,
    Operation(
        id="stop_timer",
        method=HTTPMethod.POST,
        path="timers/stop",
        tag=_TAG,
        summary="Stop the running timer and keep its time",
        description="Works in every state of the plan. The entry has the timer's id.",
        body=NoFields,
        answers={200: Answer("The time entry", TimeEntry)},
        problems={409: ("no_running_timer",)},
    ),
)
def stop_timer(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    with call.transaction() as tx:
        entry = service.stop(tx, call.caller, now=call.now)
        return call.answer(tx, HTTPStatus.OK, TimeEntry.of(entry, user=call.caller.user.public_id))


@route(
    blueprint,
    Operation(
        id="get_running_timer",
        method=HTTPMethod.GET,
        path="timers/running",
        tag=_TAG,
        summary="Your running timer",
        answers={200: Answer("It runs", RunningTimer), 204: Answer("None runs")},
    ),
)
def get_running_timer(call: Call) -> Reply:
    with call.transaction() as tx:
        timer = find_running(tx, call.caller.tenant.id, call.caller.user.id)
        if timer is None:
            return call.answer(tx, HTTPStatus.NO_CONTENT)
        return call.answer(tx, HTTPStatus.OK, _wire(call, timer))


@route(
    blueprint,
    Operation(
        id="discard_running_timer",
        method=HTTPMethod.DELETE,
        path="timers/running",
        tag=_TAG,
        summary="Throw your running timer away",
        description="No time is kept; the timer log says that it was discarded. When none runs nothing happens.",
        answers={204: Answer("None runs now")},
    ),
)
def discard_running_timer(call: Call) -> Reply:
    with call.transaction() as tx:
        service.discard(tx, call.caller, now=call.now)
        return call.answer(tx, HTTPStatus.NO_CONTENT)


@route(
    blueprint,
    Operation(
        id="list_timer_log",
        method=HTTPMethod.GET,
        path="timer-log",
        tag=_TAG,
        summary="Every start and stop, newest first",
        description="Your own; admins see everyone's. The log is only ever added to.",
        query=TimerLogQuery,
        answers={200: Answer("A page of the log", TimerLogPage)},
        problems={404: ("not_found",)},
    ),
)
def list_timer_log(call: Call, query: TimerLogQuery) -> Reply:
    end = _page_end(query.after)
    with call.transaction() as tx:
        user_id = _whose(tx, call, query)
        rows = store_log.page(tx, call.caller.tenant.id, user_id=user_id, end=end, most=query.page_size + 1)
        require_page(rows, query.after)
        items = [TimerLogItem.of(row) for row in rows[: query.page_size]]
        more = len(rows) > query.page_size
        return call.answer(
            tx, HTTPStatus.OK, TimerLogPage(items=items, next_link=_next(query, items) if more else None)
        )


def _wire(call: Call, timer: model.RunningTimer) -> RunningTimer:
    return RunningTimer.of(timer, user=call.caller.user.public_id, now=call.now)


def _whose(tx: sa.Connection, call: Call, query: TimerLogQuery) -> int | None:
    """The one user whose rows are wanted; None is everyone's. What somebody may not see is not there for them."""
    own = call.caller.user
    if query.user is None or query.user == str(own.public_id):
        return None if call.sees_everyone and query.user is None else own.id
    user_id = None
    if call.sees_everyone and (wanted := public_id(query.user)) is not None:
        user_id = store_log.find_user(tx, call.caller.tenant.id, wanted)
    if user_id is None:
        raise NotFound("There is no such person in your organisation.")
    return user_id


def _page_end(after: str | None) -> tuple[uuid.UUID, str] | None:
    if after is None:
        return None
    timer_id, _, event = after.partition(".")
    found = public_id(timer_id)
    if found is None or not event.isalpha():
        raise not_a_page_end()
    return found, event


def _next(query: TimerLogQuery, items: list[TimerLogItem]) -> str:
    parameters = {"user": query.user, "pageSize": query.page_size, "after": f"{items[-1].timer_id}.{items[-1].event}"}
    return "/api/timer-log?" + urlencode({name: value for name, value in parameters.items() if value is not None})
