"""The HTTP functions of notices: read, seen, dismissed."""

from collections.abc import Callable
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation
from shared.http.parsing import not_a_page_end, public_id, require_page
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
    end = None
    if query.after is not None and (end := public_id(query.after)) is None:
        raise not_a_page_end()
    with call.transaction() as tx:
        viewer = _viewer(call)
        rows = store.page(tx, viewer, with_dismissed=query.include_dismissed, end=end, most=query.page_size + 1)
        require_page(rows, query.after)
        items = [Notice.of(row, now=call.now) for row in rows[: query.page_size]]
        link = query.link_after(items[-1]) if len(rows) > query.page_size else None
        return call.answer(tx, HTTPStatus.OK, Notices(items=items, unseen=store.unseen(tx, viewer), next_link=link))


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
    """Mark a notice as seen."""
    with call.transaction() as tx:
        return _marked(call, tx, store.see)


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

    For you alone: others still have it, and you find it again with `includeDismissed`.
    """
    with call.transaction() as tx:
        return _marked(call, tx, store.dismiss)


def _marked(call: Call, tx: sa.Connection, mark: Callable[..., None]) -> Reply:
    viewer, wanted = _viewer(call), public_id(call.path("id"))
    found = None if wanted is None else store.find(tx, viewer, wanted)
    if found is None:
        raise NotFound("There is no such notice for you.")
    mark(tx, viewer, found, now=call.now)
    again = store.find(tx, viewer, found.id)
    assert again is not None, "notices stay, and so does the reader's role while they are held"  # noqa: S101 - ours
    return call.answer(tx, HTTPStatus.OK, Notice.of(again, now=call.now))


def _viewer(call: Call) -> Viewer:
    return Viewer(call.caller.tenant.id, call.caller.user.id, call.caller.user.role)
