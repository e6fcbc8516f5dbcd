"""The HTTP functions of time entries: list, read, add, correct and delete them."""

import datetime as dt
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, LOCATION, PERSON, PLAN, Answer, Deprecated, IfMatch, Operation, merge_problems
from shared.http.paging import TimeCursor
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.tenancy import people
from timers import azure_devops, model
from timers.azure_devops.model import WorkItem
from timers.entries import list_store
from timers.entries import rules as entries_rules
from timers.entries import service as entries_service
from timers.entries.change_store import MAX_OVERLAPS
from timers.entries.list_store import Filters
from timers.entries.reply_flow import EntryView, load_progress, respond_after_write_back
from timers.entries.schemas import (
    AddEntry,
    CorrectEntry,
    DeleteEntry,
    DeleteEntryQuery,
    EntriesPage,
    EntriesQuery,
    EntryOfUser,
)
from timers.projects.store import project_key
from timers.schemas import TimeEntry
from timers.work_items.check_flow import read_work_item, require_own_project


blueprint = func.Blueprint()
_TAG: Final = "entries"


@route(
    blueprint,
    Operation(
        id="list_entries",
        method=HTTPMethod.GET,
        path="entries",
        tag=_TAG,
        query=EntriesQuery,
        answers={200: Answer("A page of entries", EntriesPage)},
        problems=PERSON,
    ),
)
def list_entries(call: Call, query: EntriesQuery) -> Reply:
    """List time entries.

    Newest start first: your own, for admins everyone's. Overlapping entries of a person name each other in
    `overlapsWith`; one that starts more than 31 days before the page is named only in its own response. With
    `changedSince` the order is that of the changes: see [synchronization](#synchronization).
    """
    after = TimeCursor.parse(query.after)
    with call.transaction() as tx:
        tenant_id, viewer = call.caller.tenant.id, call.caller.user.id
        filters = _filters(tx, call, query)
        rows = list_store.read_page(tx, tenant_id, filters, viewer=viewer, after=after, limit=query.limit)
        listed = list_store.load(tx, tenant_id, rows[: query.page_size])
        entries = [each.entry for each in listed]
        spans = list_store.find_spans(tx, tenant_id, entries)
        overlaps = entries_rules.find_overlaps(entries, spans, limit=MAX_OVERLAPS)
        progress = load_progress(tx, call, entries)
        views = ((EntryView(each.entry, each.user, overlaps[each.entry.id]), each.name) for each in listed)
        items = [EntryOfUser.of_listed(view.to_wire(progress), name) for view, name in views]
        link = query.next_link(call.link("entries"), rows, lambda row: list_store.cursor(row, filters))
        is_first_of_sync = query.changed_since is not None and after is None
        since = call.now - entries_rules.SYNC_OVERLAP if is_first_of_sync else None
        return call.answer(tx, HTTPStatus.OK, EntriesPage(items=items, next_link=link, next_changed_since=since))


@route(
    blueprint,
    Operation(
        id="add_entry",
        method=HTTPMethod.POST,
        path="entries",
        tag=_TAG,
        body=AddEntry,
        asks_azure_devops=True,
        answers={201: Answer("The entry", TimeEntry, headers=(ETAG, LOCATION))},
        problems=merge_problems(
            PLAN,
            PERSON,
            {
                400: ("wrong_organization", "wrong_project", "invalid_times"),
                409: ("no_free_time", "too_many_entries"),
            },
        ),
    ),
)
def add_entry(call: Call, body: AddEntry) -> Reply:
    """Add a manual time entry.

    For work without a timer: at most 24 hours, not in the future. It may overlap other entries, which are in
    `overlapsWith`. In a closed month it is an adjustment. With X-AzureDevOps-Token another project than the work
    item's own is refused; a work item that Azure DevOps does not show is accepted.

    With `date` and `elapsedMs` in place of the times, the entry gets the first free time of that day, between the
    person's entries and the running timer: from 9:00 on or, if there is none, from the beginning of the day on. Without
    free time of that length the response is 409 `no_free_time`.
    """
    item = read_work_item(call, body.organization, body.work_item_id)
    with call.transaction() as tx:
        require_own_project(tx, call, item, organization=body.organization, project=body.project)
        owner = people.resolve(tx, call.caller, body.user_id, everyone=call.sees_everyone)
        added = entries_service.add(call.work(tx), call.caller.user, body.to_manual_entry(), owner_id=owner.id)
        view = EntryView.load(tx, call, added.entry, is_adjustment=added.is_adjustment)
        reply = _answer(call, tx, view, HTTPStatus.CREATED, {LOCATION: call.link(f"entries/{added.entry.id}")})
    return respond_after_write_back(call, reply, [added.entry], view.to_wire)


@route(
    blueprint,
    Operation(
        id="get_entry",
        method=HTTPMethod.GET,
        path="entries/{id}",
        tag=_TAG,
        answers={200: Answer("The entry", TimeEntry, headers=(ETAG,))},
        problems=PERSON,
    ),
)
def get_entry(call: Call) -> Reply:
    """Get a time entry.

    Your own; admins read everyone's. The response has the `ETag` that changes of the entry need.
    """
    with call.transaction() as tx:
        return _answer(call, tx, EntryView.load(tx, call, _find(call, tx)))


@route(
    blueprint,
    Operation(
        id="correct_entry",
        method=HTTPMethod.PATCH,
        path="entries/{id}",
        tag=_TAG,
        body=CorrectEntry,
        if_match=IfMatch.REQUIRED,
        asks_azure_devops=True,
        answers={200: Answer("The corrected entry", TimeEntry, headers=(ETAG,))},
        problems=merge_problems(PERSON, {400: ("invalid_times", "wrong_project")}),
    ),
)
def correct_entry(call: Call, body: CorrectEntry) -> Reply:
    """Correct or confirm a time entry.

    It needs a reason, unless nothing but the note of your own entry changes. The previous version stays in the timer
    log. The days of the entry stay in its original time zone. `needsReview: false` alone confirms the entry; corrected
    times confirm it too. The source never changes.
    """
    versions = call.if_match_versions
    item = _read_new_work_item(call, body)
    with call.transaction() as tx:
        entry = _find(call, tx, lock=True)
        if item is not None and _moves(entry, body):
            organization, project = entry.work_item.organization, body.project or entry.work_item.project
            require_own_project(tx, call, item, organization=organization, project=project)
        corrected = entries_service.correct(call.work(tx), entry, body.to_correction(), versions=versions)
        view = EntryView.load(tx, call, corrected.entry, is_adjustment=corrected.is_adjustment)
        reply = _answer(call, tx, view)
    return respond_after_write_back(call, reply, [corrected.entry], view.to_wire)


@route(
    blueprint,
    Operation(
        id="delete_entry_with_reason",
        method=HTTPMethod.POST,
        path="entries/{id}/delete",
        tag=_TAG,
        body=DeleteEntry,
        if_match=IfMatch.REQUIRED,
        asks_azure_devops=True,
        answers={204: Answer("The entry is deleted")},
        problems=PERSON,
    ),
)
def delete_entry_with_reason(call: Call, body: DeleteEntry) -> Reply:
    """Delete a time entry.

    The timer log keeps its last version and the reason.
    """
    return _delete(call, body.reason)


@route(
    blueprint,
    Operation(
        id="delete_entry",
        method=HTTPMethod.DELETE,
        path="entries/{id}",
        tag=_TAG,
        query=DeleteEntryQuery,
        if_match=IfMatch.REQUIRED,
        asks_azure_devops=True,
        deprecated=Deprecated(dt.date(2026, 11, 30), "entries/{id}/delete"),
        answers={204: Answer("The entry is deleted")},
        problems=PERSON,
    ),
)
def delete_entry(call: Call, query: DeleteEntryQuery) -> Reply:
    """Delete a time entry, with the reason in the query.

    Proxies and browsers store URLs, and a reason may be about people: use `POST /api/entries/{id}/delete` instead.
    """
    return _delete(call, query.reason)


def _delete(call: Call, reason: str) -> Reply:
    versions = call.if_match_versions
    with call.transaction() as tx:
        entry = _find(call, tx, lock=True)
        entries_service.delete(call.work(tx), entry, versions=versions, reason=reason)
        reply = call.answer(tx, HTTPStatus.NO_CONTENT)
    return respond_after_write_back(call, reply, [entry])


def _find(call: Call, tx: sa.Connection, *, lock: bool = False) -> model.TimeEntry:
    """The entry in the path."""
    return entries_service.find(call.work(tx), public_id(call.path("id")), everyone=call.sees_everyone, lock=lock)


def _read_new_work_item(call: Call, body: CorrectEntry) -> WorkItem | None:
    """The work item that a correction moves the entry to; None if it stays, or without a token."""
    if not azure_devops.has_token(call):
        return None
    with call.transaction() as tx:
        entry = _find(call, tx)
    if not _moves(entry, body):
        return None
    return read_work_item(call, entry.work_item.organization, body.work_item_id or entry.work_item.work_item_id)


def _moves(entry: model.TimeEntry, body: CorrectEntry) -> bool:
    """Whether a correction names another work item or project; the entry's own may have moved in Azure DevOps."""
    item = entry.work_item
    same_project = body.project is None or (
        project_key(item.organization, body.project) == project_key(item.organization, item.project)
    )
    return not same_project or body.work_item_id not in {None, item.work_item_id}


def _answer(
    call: Call,
    tx: sa.Connection,
    view: EntryView,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    wire = view.to_wire(load_progress(tx, call, [view.entry]))
    return call.answer(tx, status, wire, {ETAG: etag(view.entry.version), **(headers or {})})


def _filters(tx: sa.Connection, call: Call, query: EntriesQuery) -> Filters:
    tenant = call.caller.tenant
    person = people.resolve_filter(tx, call.caller, query.user, everyone=call.sees_everyone)
    return Filters(
        user_id=None if person is None else person.id,
        organization=query.organization,
        projects=None if query.project is None else list_store.find_projects(tx, tenant.id, query.project),
        work_item_ids=query.work_item_id,
        days=query.days,
        needs_review=query.needs_review,
        unwritten=query.write_back,
        source=query.source,
        changed_since=query.changed_since,
        writes_back=tenant.write_back,
    )
