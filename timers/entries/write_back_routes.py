"""Hours on their way to Completed Work: with a change that makes them, and when somebody asks for it again."""

import uuid
from collections.abc import Callable
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
from shared.http.wire import NoFields, WireModel
from shared.log import get_logger, where
from timers import access, azure_devops, model
from timers.azure_devops import LOOKUP_SECONDS
from timers.azure_devops.errors import AzureDevOpsError
from timers.entries import write_back_service
from timers.schemas import TimeEntry
from timers.work_items.look_routes import AZURE_DEVOPS
from timers.work_items.schemas import work_item_number
from timers.write_back import summary_store
from timers.write_back.flow import Asked, write_back, write_back_item
from timers.write_back.item_store import Place
from timers.write_back.model import Standing, WriteBack, because
from timers.write_back.schemas import WorkItemWriteBack, WriteBackWorkItem
from timers.write_back.store import standings


blueprint = func.Blueprint()
_ASKED_SECONDS: Final = 8.0
_NOBODYS: Final = uuid.UUID(int=0)  # for what is no id at all
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
            200: Answer("The entry; `writeBack` tells how far it is, and why", TimeEntry, headers=(ETAG,)),
            204: Answer("The entry is deleted, and nothing of its hours is left to be taken back"),
        },
        problems=merge_problems(
            PERSON, {403: ("azure_devops_sign_in_required",), 409: ("write_back_off", "write_back_not_done")}
        ),
    ),
)
def write_back_entry(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Write an entry's hours to Completed Work, or try again.

    With your X-AzureDevOps-Token, which is used for this and kept nowhere. What was written is never written twice,
    also where Azure DevOps did not say what became of it. `writeBack` tells how far it is; an entry from before the
    organization turned the write-back on counts from now on, with all its time. What a deleted entry still has to take
    back is taken back, too; it has no document, so `write_back_not_done` says why it is not.
    """
    entry_id = public_id(call.path("id")) or _NOBODYS
    with call.transaction() as tx:
        write_back_service.count(tx, call.caller, _find(call, tx, entry_id), now=call.now)
    session = azure_devops.open_session(
        call, _ASKED_SECONDS
    )  # refuses a token that is none, also where nothing is to be sent
    write_back(call.app, call.caller.tenant, entry_id, session.for_organization)
    with call.transaction() as tx:
        entry = _find(call, tx, entry_id)
        if entry is None:
            write_back_service.require_done(tx, call.caller, entry_id)
            return call.answer(tx, HTTPStatus.NO_CONTENT)
        wire = TimeEntry.of(
            entry,
            user=access.public_id_of(tx, call.caller, entry.user_id),
            standing=standing(tx, call, entry),
        )
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
    """What entries say of a work item, what was written, and what Azure DevOps shows.

    With your X-AzureDevOps-Token you see it of every work item that Azure DevOps shows you; admins see it without, but
    for Completed Work as it is now and what others changed of it.
    """
    with call.transaction() as tx:
        place = _place(call, tx)
    asked = azure_devops.has_token(call) or not call.sees_everyone
    shown = _shown(call, place) if asked else None
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, _page(call, tx, place, asked=asked, shown=shown))


@route(
    blueprint,
    Operation(
        id="write_back_work_item",
        method=HTTPMethod.POST,
        path="work-items/{organization}/{id}/write-back",
        tag="work items",
        body=WriteBackWorkItem,
        asks_azure_devops=True,
        answers={200: Answer("The work item's write-back, as far as it is now", WorkItemWriteBack)},
        problems=merge_problems(_WORK_ITEM, {409: ("write_back_off",)}),
    ),
)
def write_back_work_item(call: Call, body: WriteBackWorkItem) -> Reply:
    """Bring a work item's Completed Work to what entries say, or try again.

    With your X-AzureDevOps-Token, which is used for this and kept nowhere. `takeMissing` also takes what could not be
    taken before, since Completed Work was lower than the hours that left it; `trustWritten` goes on where
    `not_verified` says that somebody has to compare first.
    """
    with call.transaction() as tx:
        place, tenant = _place(call, tx), call.caller.tenant
        write_back_service.require_write_back(tenant)
        counts = summary_store.read(tx, tenant.id, place).newest is not None
    session = partial(azure_devops.open_session, call, _ASKED_SECONDS)
    _shown(call, place)  # only for who may see it
    if counts:
        write_back_item(call.app, tenant, place, session, Asked(body.take_missing, trusts_written=body.trust_written))
    shown = _shown(call, place)
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, _page(call, tx, place, asked=True, shown=shown))


def standing(tx: sa.Connection, call: Call, entry: model.TimeEntry) -> Standing | None:
    """How far an entry's hours are; None for one that does not count."""
    tenant = call.caller.tenant
    if not tenant.write_back and entry.version == 1 and call.operation.writes:
        return None  # it was made just now, and does not count
    return standings(tx, tenant.id, [entry.id], is_on=tenant.write_back).get(entry.id)


def written(
    call: Call, entry: model.TimeEntry, reply: Reply, told: Callable[[Standing], WireModel | None] | None = None
) -> Reply:
    """The answer to a change that is done, after it was written to Azure DevOps as far as that goes now.

    `told` makes the answer's body anew. Nothing here makes the change fail: what could not be written is not forgotten.
    """
    if not call.caller.tenant.write_back or not azure_devops.has_token(call):
        return reply
    try:
        return _written(call, entry, reply, told)
    except Exception as error:  # noqa: BLE001 - the change is done and answered for
        get_logger().error("write_back_failed", operation=call.operation.id, requestId=call.request_id, **where(error))
        return reply


def _written(
    call: Call, entry: model.TimeEntry, reply: Reply, told: Callable[[Standing], WireModel | None] | None
) -> Reply:
    tenant, refusal = call.caller.tenant, None
    try:
        write_back(call.app, tenant, entry.id, partial(azure_devops.open_change_session, call))
    except AzureDevOpsError as error:  # the token is none
        refusal = because(error.code)
    if told is None:
        return reply
    with call.app.transaction(tenant=tenant.id) as tx:
        now = standings(tx, tenant.id, [entry.id], is_on=True).get(entry.id)
        if now is None:
            return reply
        body = told(now if refusal is None or now.state is WriteBack.DONE else refusal)
        return call.replace_reply(tx, Reply.of(HTTPStatus(reply.status), body, reply.headers))


def _find(call: Call, tx: sa.Connection, entry_id: uuid.UUID) -> model.TimeEntry | None:
    return write_back_service.find(tx, call.caller, entry_id, sees_everyone=call.sees_everyone)


def _place(call: Call, tx: sa.Connection) -> Place:
    """The work item in the path."""
    organization, number = call.path("organization"), work_item_number(call.path("id"))
    place = None
    if number is not None:
        place = summary_store.find_place(tx, call.caller.tenant.id, organization, number)
    if place is None:
        raise NotFound("Your company's Azure DevOps organizations have no such work item.")
    return place


def _shown(call: Call, place: Place) -> Decimal | None:
    """Completed Work as the caller sees it now."""
    return azure_devops.open_session(call, LOOKUP_SECONDS, place.organization).work_item(place.number).completed_hours


def _page(call: Call, tx: sa.Connection, place: Place, *, asked: bool, shown: Decimal | None) -> WorkItemWriteBack:
    tenant = call.caller.tenant
    page = summary_store.read(tx, tenant.id, place)
    return WorkItemWriteBack.of(page, is_on=tenant.write_back, asked=asked, shown=shown)
