"""The HTTP function that sets the time of a work item and a day."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import PERSON, PLAN, Answer, Operation, merge_problems
from shared.http.reply import Reply
from shared.http.wire import parse_date
from shared.tenancy import people
from shared.tenancy.model import Tenant
from shared.tenancy.people import Person
from timers.azure_devops.model import ORGANIZATION, WorkItem
from timers.entries import list_store
from timers.entries import rules as entries_rules
from timers.entries.change_store import MAX_OVERLAPS
from timers.entries.reply_flow import EntryView, Progress, respond_after_write_back
from timers.model import TimeEntry
from timers.work_item_days import rules, service
from timers.work_item_days.schemas import DayChangedProblem, SetWorkItemDay, WorkItemDay
from timers.work_items.check_flow import read_work_item, require_own_project
from timers.work_items.service import find_item, work_item_number
from timers.write_back import store as write_back_store


blueprint = func.Blueprint()
_TAG: Final = "entries"


@dataclass(frozen=True, slots=True)
class _DayView:
    """The day after a change, with the values that its wire model adds."""

    wanted: service.WorkItemDay
    person: Person
    entries: Sequence[EntryView]

    def to_wire(self, progress: Progress) -> WorkItemDay:
        return WorkItemDay(
            date=self.wanted.day,
            organization=self.wanted.organization.name,
            work_item_id=self.wanted.work_item_id,
            user_id=str(self.person.public_id),
            elapsed_ms=sum(rules.time_on(each.entry, self.wanted.day) for each in self.entries),
            entries=[each.to_wire(progress) for each in self.entries],
        )


@route(
    blueprint,
    Operation(
        id="set_work_item_day",
        method=HTTPMethod.PUT,
        path="days/{date}/work-items/{organization}/{id}",
        tag=_TAG,
        body=SetWorkItemDay,
        asks_azure_devops=True,
        answers={200: Answer("The time of the work item and the day", WorkItemDay)},
        problem_models=(DayChangedProblem,),
        problems=merge_problems(
            PLAN,
            PERSON,
            {
                400: ("wrong_organization", "wrong_project", "invalid_times"),
                409: ("day_changed", "no_free_time", "too_many_entries", "entry_of_several_days"),
            },
        ),
    ),
)
def set_work_item_day(call: Call, body: SetWorkItemDay) -> Reply:
    """Set the time of a work item and a day.

    For a cell of a week sheet. `date` is written like 2026-11-23; your own day, for admins also another person's. The
    sum of the entries becomes `elapsedMs`; the running timer, other days and other work items stay as they are. If the
    present time is not `expectedMs`, the response is 409 `day_changed` with the present time, unless it is `elapsedMs`
    already; so the request may be repeated.

    Less time needs a reason: entries are shortened or deleted, first those by hand, the latest first. More time with a
    reason extends the latest entry by hand that has free time after it. Otherwise it becomes a new entry, in the free
    time of the day as for `date` of `POST /api/entries`. Each change is a version in the timer log, in a closed month
    an adjustment.
    """
    item = _read_work_item(call, body)
    with call.transaction() as tx:
        day = _day(call)
        organization, number = find_item(tx, call.caller.tenant.id, call.path("organization"), call.path("id"))
        require_own_project(tx, call, item, organization=organization.name, project=body.project)
        owner = people.resolve(tx, call.caller, body.user_id, everyone=call.sees_everyone)
        wanted = body.to_work_item_day(day, organization, number)
        changed = service.set_time(call.work(tx), call.caller.user, wanted, owner_id=owner.id)
        view = _DayView(wanted, owner, _views(tx, call, changed, owner))
        entries = [each.entry for each in changed.entries]
        reply = call.answer(tx, HTTPStatus.OK, view.to_wire(_load_progress(tx, call.caller.tenant, entries)))
    return respond_after_write_back(call, reply, [*changed.deleted, *entries], view.to_wire)


def _read_work_item(call: Call, body: SetWorkItemDay) -> WorkItem | None:
    """The work item that gets more time; None for less time, without a token, or if the path is not valid."""
    name, number = call.path("organization"), work_item_number(call.path("id"))
    if number is None or not ORGANIZATION.match(name) or body.elapsed_ms <= body.expected_ms:
        return None
    return read_work_item(call, name, number)


def _views(tx: sa.Connection, call: Call, changed: service.ChangedDay, owner: Person) -> list[EntryView]:
    entries = [each.entry for each in changed.entries]
    spans = list_store.find_spans(tx, call.caller.tenant.id, entries)
    overlaps = entries_rules.find_overlaps(entries, spans, limit=MAX_OVERLAPS)
    return [
        EntryView(each.entry, owner.public_id, overlaps[each.entry.id], each.is_adjustment) for each in changed.entries
    ]


def _load_progress(tx: sa.Connection, tenant: Tenant, entries: Sequence[TimeEntry]) -> Progress:
    ids = [each.id for each in entries]
    return write_back_store.load_progress(tx, tenant.id, ids, is_on=tenant.write_back) if ids else {}


def _day(call: Call) -> dt.date:
    """The day in the path."""
    try:
        return parse_date(call.path("date"))
    except ValueError as error:
        raise NotFound("There is no such day. Write it like 2026-11-23.") from error
