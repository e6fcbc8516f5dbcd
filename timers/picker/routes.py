"""The HTTP functions of recent work items and favorites."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation, merge_problems
from shared.http.reply import Reply
from timers.picker import favorite_service, favorite_store, recent_store
from timers.picker.model import ItemKey
from timers.picker.schemas import Favorites, RecentWorkItem, RecentWorkItems, SetFavorite
from timers.work_items.service import find_item


blueprint = func.Blueprint()
_TAG: Final = "work items"
_MOST_RECENT: Final = 20


@route(
    blueprint,
    Operation(
        id="list_recent_work_items",
        method=HTTPMethod.GET,
        path="work-items/recent",
        tag=_TAG,
        answers={200: Answer("Your recent work items", RecentWorkItems)},
    ),
)
def list_recent_work_items(call: Call) -> Reply:
    """List your recent work items.

    The last 20 that you worked on, by the start of your running timer and of your newest 500 entries.
    """
    with call.transaction() as tx:
        tenant_id, viewer = call.caller.tenant.id, call.caller.user.id
        recent = recent_store.read(tx, tenant_id, viewer, limit=_MOST_RECENT, now=call.now)
        items = [RecentWorkItem.of_recent(each) for each in recent]
        return call.answer(tx, HTTPStatus.OK, RecentWorkItems(items=items))


@route(
    blueprint,
    Operation(
        id="list_favorites",
        method=HTTPMethod.GET,
        path="work-items/favorites",
        tag=_TAG,
        answers={200: Answer("Your favorites", Favorites)},
    ),
)
def list_favorites(call: Call) -> Reply:
    """List your favorite work items.

    In your order, at most 50. Nobody else sees them.
    """
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, _favorites(call, tx))


@route(
    blueprint,
    Operation(
        id="set_favorite",
        method=HTTPMethod.PUT,
        path="work-items/{organization}/{id}/favorite",
        tag=_TAG,
        body=SetFavorite,
        answers={200: Answer("Your favorites after the change", Favorites)},
        problems=merge_problems(NOT_FOUND, {403: ("processing_restricted",), 409: ("too_many_favorites",)}),
    ),
)
def set_favorite(call: Call, body: SetFavorite) -> Reply:
    """Add or move a favorite.

    With `position` the work item moves to that position, and those after it move down.
    """
    with call.transaction() as tx:
        favorite_service.set_position(call.work(tx), call.caller.user, _key(call, tx), body.position)
        return call.answer(tx, HTTPStatus.OK, _favorites(call, tx))


@route(
    blueprint,
    Operation(
        id="remove_favorite",
        method=HTTPMethod.DELETE,
        path="work-items/{organization}/{id}/favorite",
        tag=_TAG,
        answers={204: Answer("The work item is no favorite")},
        problems=NOT_FOUND,
    ),
)
def remove_favorite(call: Call) -> Reply:
    """Remove a favorite.

    The ones after it move up. If the work item is no favorite nothing happens.
    """
    with call.transaction() as tx:
        favorite_service.remove(call.work(tx), call.caller.user, _key(call, tx))
        return call.answer(tx, HTTPStatus.NO_CONTENT)


def _key(call: Call, tx: sa.Connection) -> ItemKey:
    """The work item in the path."""
    organization, number = find_item(tx, call.caller.tenant.id, call.path("organization"), call.path("id"))
    return ItemKey(organization.id, number)


def _favorites(call: Call, tx: sa.Connection) -> Favorites:
    return Favorites.of(favorite_store.read_items(tx, call.caller.tenant.id, call.caller.user.id, now=call.now))
