"""The HTTP functions around a timer: start, stop and the running one."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from shared.http.wire import NoFields, dump
from shared.tracking import model
from shared.tracking.schemas import RunningTimer, TimeEntry
from shared.tracking.store import find_running
from shared.tracking.store_changes import overlapping
from timers import service
from timers.routes_write_back import carried, standing
from timers.schemas import StartedTimer, StartTimer


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
        asks_azure_devops=True,
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
            overlaps = overlapping(tx, call.caller.tenant.id, started.stopped)
            stopped = TimeEntry.of(
                started.stopped,
                user=call.caller.user.public_id,
                overlaps=overlaps,
                standing=standing(tx, call, started.stopped),
            )
            wire = wire.model_copy(update={"stopped": stopped})
        reply = call.answer(tx, HTTPStatus.CREATED if started.is_new else HTTPStatus.OK, wire)
    if started.stopped is None:
        return reply
    return carried(
        call, started.stopped, reply, lambda far: wire.model_copy(update={"stopped": stopped.standing_at(far)})
    )


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
        asks_azure_devops=True,
        answers={200: Answer("The time entry", TimeEntry)},
        problems={409: ("no_running_timer",)},
    ),
)
def stop_timer(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    with call.transaction() as tx:
        entry = service.stop(tx, call.caller, now=call.now)
        overlaps = overlapping(tx, call.caller.tenant.id, entry)
        wire = TimeEntry.of(
            entry, user=call.caller.user.public_id, overlaps=overlaps, standing=standing(tx, call, entry)
        )
        reply = call.answer(tx, HTTPStatus.OK, wire)
    return carried(call, entry, reply, wire.standing_at)


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


def _wire(call: Call, timer: model.RunningTimer) -> RunningTimer:
    return RunningTimer.of(timer, user=call.caller.user.public_id, now=call.now)
