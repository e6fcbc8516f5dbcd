"""The HTTP functions of the write-back: of an entry, and of a work item."""

import uuid
from decimal import Decimal
from functools import partial
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, NOT_FOUND, PERSON, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.http.wire import NoFields
from shared.tenancy import people
from timers import azure_devops, model
from timers.azure_devops import LOOKUP_SECONDS
from timers.entries import write_back_service
from timers.entries.reply_flow import EntryView, load_progress
from timers.schemas import TimeEntry
from timers.work_items.check_flow import AZURE_DEVOPS
from timers.work_items.service import work_item_number
from timers.write_back import summary_store
from timers.write_back.flow import WriteBackOptions, write_back, write_back_item
from timers.write_back.item_store import WorkItemRef
from timers.write_back.schemas import WorkItemWriteBack, WriteBackWorkItem


blueprint = func.Blueprint()
_REQUEST_SECONDS: Final = 8.0
_NO_ENTRY: Final = uuid.UUID(int=0)  # for a path without an id
_WORK_ITEM: Final = merge_problems(
    AZURE_DEVOPS, NOT_FOUND, {404: ("work_item_not_found",), 422: ("azure_devops_rejected",)}
)


@route(
    blueprint,
    Operation(
        id="write_back_entry",
        method=HTTPMethod.POST,
        path="entries/{id}/write-back",
        tag="entries",
        body=NoFields,
        asks_azure_devops=True,
        answers={
            200: Answer("The entry with its write-back status", TimeEntry, headers=(ETAG,)),
            204: Answer("The entry is deleted and its hours are subtracted"),
        },
        problems=merge_problems(
            PERSON, {403: ("azure_devops_sign_in_required",), 409: ("write_back_off", "write_back_not_done")}
        ),
    ),
)
def write_back_entry(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Write an entry's hours to Completed Work.

    Needs your X-AzureDevOps-Token. Hours are written at most
    once, even if Azure DevOps does not confirm the write, so the request can be repeated. An entry from before the
    write-back was turned on counts from now on, with its whole time. The hours of a deleted entry are subtracted;
    if that is not possible the answer is `write_back_not_done` with the reason.
    """
    entry_id = public_id(call.path("id")) or _NO_ENTRY
    with call.transaction() as tx:
        write_back_service.count(call.work(tx), _find(call, tx, entry_id))
    session = azure_devops.open_session(call, _REQUEST_SECONDS)  # refuses an invalid token, also if nothing is pending
    write_back(call.app, call.caller.tenant, entry_id, session.for_organization)
    with call.transaction() as tx:
        entry = _find(call, tx, entry_id)
        if entry is None:
            write_back_service.require_done(call.work(tx), entry_id)
            return call.answer(tx, HTTPStatus.NO_CONTENT)
        view = EntryView(entry, people.public_id_of(tx, call.caller, entry.user_id), overlaps=())
        wire = view.to_wire(load_progress(tx, call, [entry]))
        return call.answer(tx, HTTPStatus.OK, wire, {"ETag": etag(entry.version)})


@route(
    blueprint,
    Operation(
        id="get_work_item_write_back",
        method=HTTPMethod.GET,
        path="work-items/{organization}/{id}/write-back",
        tag="work items",
        asks_azure_devops=True,
        answers={200: Answer("The work item's write-back", WorkItemWriteBack)},
        problems=_WORK_ITEM,
    ),
)
def get_work_item_write_back(call: Call) -> Reply:
    """Get the write-back of a work item.

    The hours of its entries, the hours that were written, and Completed Work in Azure DevOps. With your
    X-AzureDevOps-Token for each work item that Azure DevOps shows you. Admins need no token, but without one they
    do not see the current Completed Work and changes by others.
    """
    with call.transaction() as tx:
        item = _work_item(call, tx)
    reads = azure_devops.has_token(call) or not call.sees_everyone
    shown = _read_completed_work(call, item) if reads else None
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, _summary(call, tx, item, was_read=reads, shown=shown))


@route(
    blueprint,
    Operation(
        id="write_back_work_item",
        method=HTTPMethod.POST,
        path="work-items/{organization}/{id}/write-back",
        tag="work items",
        body=WriteBackWorkItem,
        asks_azure_devops=True,
        answers={200: Answer("The work item's write-back", WorkItemWriteBack)},
        problems=merge_problems(_WORK_ITEM, {409: ("write_back_off",)}),
    ),
)
def write_back_work_item(call: Call, body: WriteBackWorkItem) -> Reply:
    """Write a work item's pending hours to Completed Work.

    Needs your X-AzureDevOps-Token. `takeMissing` also
    subtracts hours that could not be subtracted before, since Completed Work was lower. `trustWritten` continues
    after `not_verified`, once somebody has compared Completed Work with `writtenHours`.
    """
    with call.transaction() as tx:
        item, tenant = _work_item(call, tx), call.caller.tenant
        write_back_service.require_write_back(tenant)
        has_changes = summary_store.read(tx, tenant.id, item).newest is not None
    open_session = partial(azure_devops.open_session, call, _REQUEST_SECONDS)
    _read_completed_work(call, item)  # fails unless the caller may see the work item
    if has_changes:
        options = WriteBackOptions(takes_short=body.take_missing, trusts_written=body.trust_written)
        write_back_item(call.app, tenant, item, open_session, options)
    shown = _read_completed_work(call, item)
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, _summary(call, tx, item, was_read=True, shown=shown))


def _find(call: Call, tx: sa.Connection, entry_id: uuid.UUID) -> model.TimeEntry | None:
    return write_back_service.find(call.work(tx), entry_id, everyone=call.sees_everyone)


def _work_item(call: Call, tx: sa.Connection) -> WorkItemRef:
    """The work item in the path."""
    organization, number = call.path("organization"), work_item_number(call.path("id"))
    item = None
    if number is not None:
        item = summary_store.find_work_item(tx, call.caller.tenant.id, organization, number)
    if item is None:
        raise NotFound("Your company's Azure DevOps organizations have no such work item.")
    return item


def _read_completed_work(call: Call, item: WorkItemRef) -> Decimal | None:
    """The current Completed Work, read with the caller's token."""
    return azure_devops.open_session(call, LOOKUP_SECONDS, item.organization).work_item(item.number).completed_hours


def _summary(
    call: Call, tx: sa.Connection, item: WorkItemRef, *, was_read: bool, shown: Decimal | None
) -> WorkItemWriteBack:
    tenant = call.caller.tenant
    summary = summary_store.read(tx, tenant.id, item)
    return WorkItemWriteBack.of(summary, is_on=tenant.write_back, was_read=was_read, shown=shown)
