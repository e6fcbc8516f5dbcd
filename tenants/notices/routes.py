"""The HTTP functions for listing notices and marking them as seen or dismissed."""

from collections.abc import Callable
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation
from shared.http.paging import id_cursor
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.http.wire import NoFields
from tenants.notices import store
from tenants.notices.schemas import Notice, Notices, NoticesQuery
from tenants.notices.store import Viewer


blueprint = func.Blueprint()
_TAG: Final = "notices"


@route(
    blueprint,
    Operation(
        id="list_notices",
        method=HTTPMethod.GET,
        path="notices",
        tag=_TAG,
        query=NoticesQuery,
        answers={200: Answer("A page of notices", Notices)},
    ),
)
def list_notices(call: Call, query: NoticesQuery) -> Reply:
    """Your notices, newest first.

    Super admins are notified of each change of super admins, role that waits for them, export of all data, scheduled
    erasure, purchase and cancellation; everyone, when TimeTracker was restored from a backup. There is no mail.
    """
    after = id_cursor(query.after)
    with call.transaction() as tx:
        viewer = _viewer(call)
        rows = store.page(tx, viewer, with_dismissed=query.include_dismissed, after=after, limit=query.limit)
        query.require_rows(rows)
        items = [Notice.of(row, now=call.now) for row in rows[: query.page_size]]
        link = query.next_link(call.link("notices"), rows, lambda row: row.id)
        unseen = store.count_unseen(tx, viewer)
        return call.answer(tx, HTTPStatus.OK, Notices(items=items, unseen=unseen, next_link=link))


@route(
    blueprint,
    Operation(
        id="see_notice",
        method=HTTPMethod.POST,
        path="notices/{id}/seen",
        tag=_TAG,
        body=NoFields,
        answers={200: Answer("The notice", Notice)},
        problems=NOT_FOUND,
    ),
)
def see_notice(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Mark a notice as seen.

    Applies to you only. The first time is kept; a repeat changes nothing.
    """
    with call.transaction() as tx:
        return _mark(call, tx, store.mark_seen)


@route(
    blueprint,
    Operation(
        id="dismiss_notice",
        method=HTTPMethod.POST,
        path="notices/{id}/dismissed",
        tag=_TAG,
        body=NoFields,
        answers={200: Answer("The notice", Notice)},
        problems=NOT_FOUND,
    ),
)
def dismiss_notice(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Dismiss a notice.

    Hides the notice for you only. List it again with `includeDismissed`.
    """
    with call.transaction() as tx:
        return _mark(call, tx, store.dismiss)


def _mark(call: Call, tx: sa.Connection, mark: Callable[..., None]) -> Reply:
    viewer, notice_id = _viewer(call), public_id(call.path("id"))
    notice = None if notice_id is None else store.find(tx, viewer, notice_id)
    if notice is None:
        raise NotFound("There is no such notice for you.")
    mark(tx, viewer, notice, now=call.now)
    marked = store.find(tx, viewer, notice.id)
    assert marked is not None, "notices are not removed, and the reader's role is locked"  # noqa: S101 - ours
    return call.answer(tx, HTTPStatus.OK, Notice.of(marked, now=call.now))


def _viewer(call: Call) -> Viewer:
    return Viewer(call.caller.tenant.id, call.caller.user.id, call.caller.user.role)
