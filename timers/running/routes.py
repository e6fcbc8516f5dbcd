"""The HTTP functions around a timer: start, stop and the running one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import PLAN, Answer, Operation, merge_problems
from shared.http.reply import Reply
from shared.http.wire import dump
from timers import model
from timers.entries.change_store import overlapping
from timers.entries.write_back_routes import standing, written
from timers.running import late_service, rules, service
from timers.running.schemas import StartedTimer, StartTimer, StopTimer
from timers.schemas import RunningTimer, TimeEntry
from timers.store import find_running
from timers.work_items.look_routes import look, require_own_project
from timers.work_items.lookup import plausible_hours
from timers.write_back.model import Standing


blueprint = func.Blueprint()
_TAG: Final = "timers"


@route(
    blueprint,
    Operation(
        id="start_timer",
        method=HTTPMethod.POST,
        path="timers/start",
        tag=_TAG,
        body=StartTimer,
        asks_azure_devops=True,
        answers={201: Answer("It runs", StartedTimer), 200: Answer("It was running already", StartedTimer)},
        problems=merge_problems(
            PLAN,
            {
                400: ("wrong_organization", "wrong_project", "too_long_ago", "in_the_future"),
                403: ("processing_restricted",),
                409: ("timer_already_running", "timer_already_ended", "timer_id_taken", "inside_another_entry"),
            },
        ),
    ),
)
def start_timer(call: Call, body: StartTimer) -> Reply:
    """Start a timer on a work item.

    One timer runs per person. The same work item again answers 200 with the timer that runs; another one answers 409
    and carries it, unless `switch` stops it and starts the new one in one step. A client that was offline says
    `startedAt`, and names the timer by `timerId`, so that its reports may come in any order: a start that comes after a
    later one has `ended` at that one. A 409 to a report that says when it was is not kept for its Idempotency-Key: send
    it again after the reports before it. With X-AzureDevOps-Token the work item is looked at: the timer begins with its
    Completed Work, and another project than its own is refused, unless `startedAt` is said. An item that Azure DevOps
    does not show is taken.
    """
    subject = body.to_start()
    item = look(call, subject.organization, subject.work_item_id)
    if subject.existing_hours is None:
        subject = replace(subject, existing_hours=plausible_hours(item))
    with call.transaction() as tx:
        if subject.started_at is None:  # else it has happened, and the project may have had this name then
            require_own_project(tx, call, item, organization=subject.organization, project=subject.project)
        start = late_service.start if subject.is_report else service.start
        with _carrying(call):
            started = start(tx, call.caller, subject, now=call.now, new_id=call.app.new_id)
        made = {name: _entry(call, tx, entry) for name, entry in started.made.items()}
        wire = StartedTimer.of_started(started, made, user=call.caller.user.public_id, now=call.now)
        reply = call.answer(tx, HTTPStatus.CREATED if started.is_new else HTTPStatus.OK, wire)
    for name, entry in started.made.items():
        reply = written(call, entry, reply, partial(_told, wire, name, made[name]))
    return reply


@route(
    blueprint,
    Operation(
        id="stop_timer",
        method=HTTPMethod.POST,
        path="timers/stop",
        tag=_TAG,
        body=StopTimer,
        asks_azure_devops=True,
        answers={200: Answer("The time entry", TimeEntry)},
        problems={
            400: ("too_long_ago", "in_the_future"),
            409: ("no_running_timer", "timer_not_started", "stop_before_start", "inside_another_entry"),
        },
    ),
)
def stop_timer(call: Call, body: StopTimer) -> Reply:
    """Stop the running timer and keep its time.

    Works in every state of the plan. The entry has the timer's id. A client that was offline says `stoppedAt`, and
    names the timer by `timerId`: then the end of an entry is that instant, if it was only inferred from a later start
    or stopped by the service. An end that was said before stays, and is answered.
    """
    with call.transaction() as tx:
        subject = body.to_stop()
        with _carrying(call):
            if subject.is_report:
                entry = late_service.stop(tx, call.caller, subject, now=call.now)
            else:
                entry = service.stop(tx, call.caller, now=call.now)
        wire = _entry(call, tx, entry)
        reply = call.answer(tx, HTTPStatus.OK, wire)
    return written(call, entry, reply, wire.standing_at)


@route(
    blueprint,
    Operation(
        id="get_running_timer",
        method=HTTPMethod.GET,
        path="timers/running",
        tag=_TAG,
        answers={200: Answer("It runs", RunningTimer), 204: Answer("None runs")},
    ),
)
def get_running_timer(call: Call) -> Reply:
    """Your running timer."""
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
        answers={204: Answer("None runs now")},
    ),
)
def discard_running_timer(call: Call) -> Reply:
    """Throw your running timer away.

    No time is kept; the timer log says that it was discarded. When none runs nothing happens.
    """
    with call.transaction() as tx:
        service.discard(tx, call.caller, now=call.now)
        return call.answer(tx, HTTPStatus.NO_CONTENT)


def _entry(call: Call, tx: sa.Connection, entry: model.TimeEntry) -> TimeEntry:
    return TimeEntry.of(
        entry,
        user=call.caller.user.public_id,
        overlaps=overlapping(tx, call.caller.tenant.id, entry),
        standing=standing(tx, call, entry),
    )


def _told(wire: StartedTimer, name: str, entry: TimeEntry, far: Standing) -> StartedTimer:
    return wire.model_copy(update={name: entry.standing_at(far)})


def _wire(call: Call, timer: model.RunningTimer) -> RunningTimer:
    return RunningTimer.of(timer, user=call.caller.user.public_id, now=call.now)


@contextmanager
def _carrying(call: Call) -> Iterator[None]:
    """Puts the time that is in the way into the answer, so that the caller need not ask for it."""
    user = call.caller.user.public_id
    try:
        yield
    except rules.TimeInTheWay as error:
        if error.timer is not None:
            error.extra["runningTimer"] = dump(_wire(call, error.timer))
        if error.entry is not None:
            error.extra["entry"] = dump(TimeEntry.of(error.entry, user=user))
        raise
