"""The HTTP functions of the running timer: start, stop, read, change and discard it."""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, LOCATION, PLAN, Answer, Operation, merge_problems
from shared.http.reply import Reply
from shared.http.wire import dump
from timers import model
from timers.entries.reply_flow import EntryView, Progress, load_progress, respond_after_write_back
from timers.running import change_service, rules, service
from timers.running.model import StartResult
from timers.running.schemas import (
    ChangeTimer,
    DiscardTimerQuery,
    InsideAnotherEntryProblem,
    OtherTimerRunningProblem,
    StartedTimer,
    StartTimer,
    StopTimer,
    TimerAlreadyEndedProblem,
    TimerAlreadyRunningProblem,
)
from timers.schemas import RunningTimer, TimeEntry
from timers.store import find_running
from timers.work_items.check_flow import read_work_item, require_own_project
from timers.work_items.lookup_flow import plausible_hours


blueprint = func.Blueprint()
_TAG: Final = "timers"


@route(
    blueprint,
    Operation(
        id="start_timer",
        method=HTTPMethod.POST,
        path="timers/start",
        tag=_TAG,
        problem_models=(TimerAlreadyRunningProblem, TimerAlreadyEndedProblem, InsideAnotherEntryProblem),
        body=StartTimer,
        asks_azure_devops=True,
        answers={
            201: Answer("The started timer", StartedTimer, headers=(LOCATION,)),
            200: Answer("The timer was already running", StartedTimer),
        },
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
    """Start a timer.

    Each person has at most one running timer. A start on the same work item answers 200 with the running timer. A
    start on another work item answers 409 with the running timer, unless `switch` is set, which stops it first.

    An offline client sends `startedAt` and names the timer by `timerId`; its starts and stops may arrive in any
    order. A start that arrives after a later one ends at that one, and its entry is in `ended`. A 409 to a late
    start is not stored for its Idempotency-Key: repeat the request after the earlier ones.

    With X-AzureDevOps-Token the work item is read: its Completed Work becomes `existingHours`, and another project
    than its own is refused, unless `startedAt` is sent. A work item that Azure DevOps does not show is accepted.
    """
    start = body.to_start()
    item = read_work_item(call, start.organization, start.work_item_id)
    if start.existing_hours is None:
        start = replace(start, existing_hours=plausible_hours(item))
    with call.transaction() as tx:
        if start.started_at is None:  # a late start may have the project's name of that time
            require_own_project(tx, call, item, organization=start.organization, project=start.project)
        with _show_conflicts(call):
            result = service.start(call.work(tx), call.caller.user, start)
        views = {entry.id: EntryView.load(tx, call, entry) for entry in result.entries}
        to_wire = partial(_started_timer, call, call.now, result, views)
        wire = to_wire(load_progress(tx, call, result.entries))
        if result.is_new:
            reply = call.answer(tx, HTTPStatus.CREATED, wire, {LOCATION: _location(call, result)})
        else:
            reply = call.answer(tx, HTTPStatus.OK, wire)
    return respond_after_write_back(call, reply, result.entries, to_wire)


@route(
    blueprint,
    Operation(
        id="stop_timer",
        method=HTTPMethod.POST,
        path="timers/stop",
        tag=_TAG,
        problem_models=(InsideAnotherEntryProblem,),
        body=StopTimer,
        asks_azure_devops=True,
        answers={200: Answer("The time entry", TimeEntry, headers=(ETAG,))},
        problems={
            400: ("too_long_ago", "in_the_future"),
            409: ("no_running_timer", "timer_not_started", "stop_before_start", "inside_another_entry"),
        },
    ),
)
def stop_timer(call: Call, body: StopTimer) -> Reply:
    """Stop the running timer.

    The response is the time entry, which has the timer's id. Stopping works in every state of the plan. An offline
    client sends `stoppedAt` and names the timer by `timerId`: an end that was inferred from a later start, or made
    by the service, is replaced by that instant. An end that the person gave stays, and the response is the entry as
    it is, with its note.
    """
    with call.transaction() as tx:
        with _show_conflicts(call):
            entry = service.stop(call.work(tx), call.caller.user, body.to_stop())
        view = EntryView.load(tx, call, entry)
        wire = view.to_wire(load_progress(tx, call, [entry]))
        reply = call.answer(tx, HTTPStatus.OK, wire, {ETAG: etag(entry.version)})
    return respond_after_write_back(call, reply, [entry], view.to_wire)


@route(
    blueprint,
    Operation(
        id="get_running_timer",
        method=HTTPMethod.GET,
        path="timers/running",
        tag=_TAG,
        answers={200: Answer("The running timer", RunningTimer), 204: Answer("No timer is running")},
    ),
)
def get_running_timer(call: Call) -> Reply:
    """Get the running timer.

    Your own; 204 if none is running.
    """
    with call.transaction() as tx:
        timer = find_running(tx, call.caller.tenant.id, call.caller.user.id)
        if timer is None:
            return call.answer(tx, HTTPStatus.NO_CONTENT)
        return call.answer(tx, HTTPStatus.OK, _running_timer(call, timer))


@route(
    blueprint,
    Operation(
        id="change_running_timer",
        method=HTTPMethod.PATCH,
        path="timers/running",
        tag=_TAG,
        problem_models=(OtherTimerRunningProblem, TimerAlreadyEndedProblem, InsideAnotherEntryProblem),
        body=ChangeTimer,
        asks_azure_devops=True,
        answers={200: Answer("The running timer", RunningTimer)},
        problems={
            400: ("too_long_ago", "in_the_future"),
            409: ("no_running_timer", "other_timer_running", "timer_already_ended", "inside_another_entry"),
        },
    ),
)
def change_running_timer(call: Call, body: ChangeTimer) -> Reply:
    """Change the note or the start of the running timer.

    Send `timerId`, so that a timer that was started in another window since is not changed. An earlier start must not
    be inside another timer's entry, except one that a later start or the service ended: it then ends at the new start.
    The timer log has each change.
    """
    with call.transaction() as tx:
        with _show_conflicts(call):
            changed = change_service.change(call.work(tx), call.caller.user, body.to_change())
        timer = _running_timer(call, changed.timer)
        reply = call.answer(tx, HTTPStatus.OK, timer)
    return respond_after_write_back(call, reply, changed.shortened, lambda _: timer)


@route(
    blueprint,
    Operation(
        id="discard_running_timer",
        method=HTTPMethod.DELETE,
        path="timers/running",
        tag=_TAG,
        problem_models=(OtherTimerRunningProblem, TimerAlreadyEndedProblem),
        query=DiscardTimerQuery,
        answers={204: Answer("No timer is running any more")},
        problems={409: ("other_timer_running", "timer_already_ended")},
    ),
)
def discard_running_timer(call: Call, query: DiscardTimerQuery) -> Reply:
    """Discard the running timer.

    No time entry is created; the timer log records it. Without a running timer nothing happens. Send `timerId`, so that
    a page that was not refreshed does not discard a timer that was started since: if another timer is running, or the
    timer has an entry, nothing is discarded and the response is 409 with the timer or the entry.
    """
    with call.transaction() as tx:
        with _show_conflicts(call):
            change_service.discard(call.work(tx), call.caller.user, query.timer_id)
        return call.answer(tx, HTTPStatus.NO_CONTENT)


def _location(call: Call, result: StartResult) -> str:
    """The address of the timer, or of its entry if it has ended."""
    return call.link("timers/running" if result.ended is None else f"entries/{result.ended.id}")


def _started_timer(
    call: Call, now: dt.datetime, result: StartResult, views: Mapping[uuid.UUID, EntryView], progress: Progress
) -> StartedTimer:
    entries = {id_: view.to_wire(progress) for id_, view in views.items()}
    return StartedTimer.of_result(result, entries, user=call.caller.user.public_id, now=now)


def _running_timer(call: Call, timer: model.RunningTimer) -> RunningTimer:
    return RunningTimer.of(timer, user=call.caller.user.public_id, now=call.now)


@contextmanager
def _show_conflicts(call: Call) -> Iterator[None]:
    """Adds the conflicting timer or entry to the problem document, which saves the client a request."""
    try:
        yield
    except rules.OverlapConflict as error:
        if error.timer is not None:
            error.extra["runningTimer"] = dump(_running_timer(call, error.timer))
        if error.entry is not None:
            error.extra["entry"] = dump(TimeEntry.of(error.entry, user=call.caller.user.public_id))
        raise
