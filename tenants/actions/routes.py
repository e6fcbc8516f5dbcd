"""The HTTP functions of the action log: everyone records actions, admins read them."""

from http import HTTPMethod, HTTPStatus

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import PERSON, Answer, Operation
from shared.http.reply import Reply
from shared.tenancy import people
from tenants.actions import log as action_log
from tenants.actions import service as actions_service
from tenants.actions import store as actions_store
from tenants.actions.log.cursor import encode
from tenants.actions.log.model import bound_key
from tenants.actions.schemas import ActionItem, ActionPage, ActionQuery, NewActions, RecordedActions


blueprint = func.Blueprint()


@route(
    blueprint,
    Operation(
        id="record_actions",
        method=HTTPMethod.POST,
        path="actions",
        tag="actions",
        body=NewActions,
        answers={202: Answer("The numbers of recorded and dropped actions", RecordedActions)},
    ),
)
def record_actions(call: Call, body: NewActions) -> Reply:
    """Record user actions.

    One action, `{type, page, at?}`, or 1 to 50 of them, `{items: [...]}`. A `page` is a path that begins with `/`,
    without host, query, fragment and e-mail address; leave out ids too: `/work-item/timer`, `/hub/week`. An `at` up
    to two minutes in the future counts as now. If the action log cannot be reached in time the response is still 202,
    with the number of lost actions under `dropped`; do not send them again.
    """
    sent = body.to_sent()
    tag = actions_service.request_tag(call.idempotency_key, call.app.new_id())
    with call.transaction() as tx:
        actions = actions_service.build_actions(call.work(tx), call.caller.user, sent, tag=tag)
        reply = call.answer(tx, HTTPStatus.ACCEPTED, RecordedActions(accepted=len(actions), dropped=0))
    # The log may be another service: it is written outside the transaction, and only once per idempotency key.
    dropped = actions_service.append(
        action_log.of(call.app), actions, operation=call.operation.id, request_id=call.request_id
    )
    if not dropped:
        return reply
    with call.transaction() as tx:
        result = RecordedActions(accepted=len(actions) - dropped, dropped=dropped)
        return call.replace_reply(tx, Reply.of(HTTPStatus.ACCEPTED, result))


@route(
    blueprint,
    Operation(
        id="list_actions",
        method=HTTPMethod.GET,
        path="actions",
        tag="actions",
        query=ActionQuery,
        answers={200: Answer("A page of the action log", ActionPage)},
        problems=PERSON,
    ),
)
def list_actions(call: Call, query: ActionQuery) -> Reply:
    """User actions, newest first.

    The actions that clients recorded.
    """
    with call.transaction() as tx:
        person = people.resolve_filter(tx, call.caller, query.user, everyone=True)
        after = actions_service.resolve_cursor(tx, call.caller.tenant.id, query.after)
    tenant_id, user_id = call.caller.tenant.id, None if person is None else person.id
    period = query.period(call.caller.tenant.zone)
    selected = action_log.LogQuery(
        user_id=user_id,
        action_type=query.type,
        after=after,
        limit=query.limit,
        since=None if period.since is None else bound_key(period.since),
        until=None if period.until is None else bound_key(period.until),
    )
    actions = action_log.of(call.app).page(tenant_id, selected)
    with call.transaction() as tx:
        authors = actions_store.find_authors(tx, tenant_id, (action.user_id for action in actions))
        viewer = call.caller.user.id
        rows = [(row, authors[row.user_id]) for row in actions[: query.page_size] if row.user_id in authors]
        items = [
            ActionItem.of(action, author) for action, author in rows if not author.is_restricted or author.id == viewer
        ]
        last = encode(rows[-1][0].row_key, rows[-1][1].public_id) if rows else None
        link = None if last is None else query.next_link(call.link("actions"), actions, lambda _: last)
        return call.answer(tx, HTTPStatus.OK, ActionPage(items=items, next_link=link))
