"""The HTTP functions of time entries: list, read, add by hand, correct, delete."""

import datetime as dt
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, PERSON, PLAN, Answer, Deprecated, IfMatch, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from timers import access, azure_devops, model
from timers.azure_devops.model import WorkItem
from timers.cursor import PageEnd
from timers.entries import list_store
from timers.entries import rules as entries_rules
from timers.entries import service as entries_service
from timers.entries.change_store import MOST_OVERLAPS, overlapping
from timers.entries.list_store import Filters
from timers.entries.schemas import AddEntry, CorrectEntry, DeleteEntry, DeleteEntryQuery, EntriesPage, EntriesQuery
from timers.entries.service import Changed
from timers.entries.write_back_routes import standing, written
from timers.projects.store import project_key
from timers.schemas import TimeEntry
from timers.work_items.look_routes import look, require_own_project
from timers.write_back.store import standings


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
    """Time entries, newest start first.

    Your own; admins see everyone's. Entries of one person that share time name each other in `overlapsWith`; one that
    began more than 31 days before the page is named only when read by itself.
    """
    end = PageEnd.of(query.after)
    with call.transaction() as tx:
        tenant_id, most = call.caller.tenant.id, query.page_size
        filters, viewer = _filters(tx, call, query), call.caller.user.id
        rows = list_store.page(tx, tenant_id, filters, viewer=viewer, end=end, most=most + 1)
        found = list_store.whole(tx, tenant_id, rows[:most])
        entries = [each.entry for each in found]
        spans = list_store.spans_beside(tx, tenant_id, entries)
        beside = entries_rules.overlaps(entries, spans, most=MOST_OVERLAPS)
        far = standings(tx, tenant_id, beside, is_on=call.caller.tenant.write_back)
        items = [
            TimeEntry.of(each.entry, user=each.user, overlaps=beside[each.entry.id], standing=far.get(each.entry.id))
            for each in found
        ]
        link = query.link_after(items[-1]) if len(rows) > most else None
        return call.answer(tx, HTTPStatus.OK, EntriesPage(items=items, next_link=link))


@route(
    blueprint,
    Operation(
        id="add_entry",
        method=HTTPMethod.POST,
        path="entries",
        tag=_TAG,
        body=AddEntry,
        asks_azure_devops=True,
        answers={201: Answer("The entry; ETag is its version", TimeEntry, headers=(ETAG,))},
        problems=merge_problems(PLAN, PERSON, {400: ("wrong_organization", "wrong_project", "invalid_times")}),
    ),
)
def add_entry(call: Call, body: AddEntry) -> Reply:
    """Enter work that no timer ran for.

    At most 24 hours, and not in the future. It may overlap other entries; the answer says which, in `overlapsWith`. In
    a month that is closed it is an adjustment. With X-AzureDevOps-Token another project than the work item's own is
    refused; an item that Azure DevOps does not show is taken.
    """
    item = look(call, body.organization, body.work_item_id)
    with call.transaction() as tx:
        require_own_project(tx, call, item, organization=body.organization, project=body.project)
        user_id = access.one(tx, call.caller, body.user_id, sees_everyone=call.sees_everyone)
        added = entries_service.add(
            tx, call.caller, body.to_work(), user_id=user_id, now=call.now, new_id=call.app.new_id
        )
        wire = _wire(call, tx, added)
        reply = _answer(call, tx, wire, HTTPStatus.CREATED)
    return written(call, added.entry, reply, wire.standing_at)


@route(
    blueprint,
    Operation(
        id="get_entry",
        method=HTTPMethod.GET,
        path="entries/{id}",
        tag=_TAG,
        answers={200: Answer("The entry; ETag is its version", TimeEntry, headers=(ETAG,))},
        problems=PERSON,
    ),
)
def get_entry(call: Call) -> Reply:
    """One time entry."""
    with call.transaction() as tx:
        return _answer(call, tx, _wire(call, tx, Changed(_wanted(call, tx))))


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
        answers={200: Answer("The entry as corrected; ETag is its version", TimeEntry, headers=(ETAG,))},
        problems=merge_problems(PERSON, {400: ("invalid_times", "wrong_project")}),
    ),
)
def correct_entry(call: Call, body: CorrectEntry) -> Reply:
    """Correct an entry, or confirm that it is right.

    Send If-Match with the ETag that was read, and the reason. The version before stays in the timer log. Days are those
    of the time zone that the entry was made in. `needsReview: false` alone confirms the entry; a correction of its
    times does too. The source stays: it tells where the entry came from.
    """
    versions = call.versions_wanted
    item = _look(call, body)
    with call.transaction() as tx:
        entry = _wanted(call, tx, hold=True)
        if item is not None and _moves(entry, body):
            organization, project = entry.work_item.organization, body.project or entry.work_item.project
            require_own_project(tx, call, item, organization=organization, project=project)
        corrected = entries_service.correct(
            tx, call.caller, entry, body.to_correction(), versions=versions, now=call.now, new_id=call.app.new_id
        )
        wire = _wire(call, tx, corrected)
        reply = _answer(call, tx, wire)
    return written(call, entry, reply, wire.standing_at)


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
        answers={204: Answer("It is gone")},
        problems=PERSON,
    ),
)
def delete_entry_with_reason(call: Call, body: DeleteEntry) -> Reply:
    """Delete an entry.

    Send If-Match with the ETag that was read. The timer log keeps the whole entry, and the reason.
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
        answers={204: Answer("It is gone")},
        problems=PERSON,
    ),
)
def delete_entry(call: Call, query: DeleteEntryQuery) -> Reply:
    """Delete an entry, with the reason in the address.

    Addresses are kept by proxies and browsers, and a reason may be about people: send it in the body of `POST
    /api/entries/{id}/delete`. Send If-Match with the ETag that was read.
    """
    return _delete(call, query.reason)


def _delete(call: Call, reason: str) -> Reply:
    versions = call.versions_wanted
    with call.transaction() as tx:
        entry = _wanted(call, tx, hold=True)
        entries_service.delete(
            tx, call.caller, entry, versions=versions, reason=reason, now=call.now, new_id=call.app.new_id
        )
        reply = call.answer(tx, HTTPStatus.NO_CONTENT)
    return written(call, entry, reply)


def _wanted(call: Call, tx: sa.Connection, *, hold: bool = False) -> model.TimeEntry:
    """The entry in the path."""
    wanted = public_id(call.path("id"))
    return entries_service.find(tx, call.caller, wanted, sees_everyone=call.sees_everyone, hold=hold)


def _look(call: Call, body: CorrectEntry) -> WorkItem | None:
    """The work item that a correction is to, where it is another one, or another project."""
    if not azure_devops.has_token(call):
        return None
    with call.transaction() as tx:
        entry = _wanted(call, tx)
    item = entry.work_item
    return look(call, item.organization, body.work_item_id or item.work_item_id) if _moves(entry, body) else None


def _moves(entry: model.TimeEntry, body: CorrectEntry) -> bool:
    """Whether the time goes elsewhere: what is only said again is not looked at, as it may have moved since."""
    item = entry.work_item
    same_project = body.project is None or (
        project_key(item.organization, body.project) == project_key(item.organization, item.project)
    )
    return not same_project or body.work_item_id not in {None, item.work_item_id}


def _wire(call: Call, tx: sa.Connection, changed: Changed) -> TimeEntry:
    entry = changed.entry
    return TimeEntry.of(
        entry,
        user=access.public_id_of(tx, call.caller, entry.user_id),
        overlaps=overlapping(tx, call.caller.tenant.id, entry),
        is_adjustment=changed.is_adjustment,
        standing=standing(tx, call, entry),
    )


def _answer(call: Call, tx: sa.Connection, wire: TimeEntry, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    return call.answer(tx, status, wire, {"ETag": etag(wire.version)})


def _filters(tx: sa.Connection, call: Call, query: EntriesQuery) -> Filters:
    tenant_id = call.caller.tenant.id
    return Filters(
        user_id=access.whose(tx, call.caller, query.user, sees_everyone=call.sees_everyone),
        organization=query.organization,
        projects=None if query.project is None else list_store.projects_called(tx, tenant_id, query.project),
        work_item_id=query.work_item_id,
        days=query.days,
        needs_review=query.needs_review,
        unwritten=query.write_back,
        writes_back=call.caller.tenant.write_back,
    )
