"""The HTTP functions of the action log: anybody's actions go in, admins read them."""

from http import HTTPMethod, HTTPStatus
from urllib.parse import urlencode

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
        answers={202: Answer("What became of them", RecordedActions)},
    ),
)
def record_actions(call: Call, body: NewActions) -> Reply:
    """Put what you did in the product on record.

    One action, `{type, page, at?}`, or 1 to 50 of them, `{items: [...]}`. An `at` up to two minutes ahead counts as
    now. When the log cannot be reached in time the answer is still 202, and says under `dropped` how many are lost; do
    not send them again.
    """
    said = body.to_said()
    tag = actions_service.tag_of(call.idempotency_key, call.app.new_id())
    with call.transaction() as tx:
        actions = actions_service.to_actions(call.caller, said, now=call.now, tag=tag)
        reply = call.answer(tx, HTTPStatus.ACCEPTED, RecordedActions(accepted=len(actions), dropped=0))
    # The log may be a service of its own: it is written outside the transaction, and only by whoever got the key.
    dropped = actions_service.keep(
        action_log.of(call.app), actions, operation=call.operation.id, request_id=call.request_id
    )
    if not dropped:
        return reply
    with call.transaction() as tx:
        told = RecordedActions(accepted=len(actions) - dropped, dropped=dropped)
        return call.amend(tx, Reply.of(HTTPStatus.ACCEPTED, told))


@route(
    blueprint,
    Operation(
        id="list_actions",
        method=HTTPMethod.GET,
        path="actions",
        tag="actions",
        query=ActionQuery,
        answers={200: Answer("A page of the log", ActionPage)},
        problems=PERSON,
    ),
)
def list_actions(call: Call, query: ActionQuery) -> Reply:
    """What people did in the product, newest first."""
    with call.transaction() as tx:
        person = people.resolve_filter(tx, call.caller, query.user, everyone=True)
        user_id = None if person is None else person.id
        after = actions_service.page_end(tx, call.caller, query.after)
    tenant_id = call.caller.tenant.id
    found = action_log.of(call.app).page(tenant_id, user_id=user_id, after=after, most=query.page_size + 1)
    with call.transaction() as tx:
        names = actions_store.people(tx, tenant_id, (action.user_id for action in found))
        known = [(action, names[action.user_id]) for action in found[: query.page_size] if action.user_id in names]
        viewer = call.caller.user.id
        items = [
            ActionItem.of(action, who.public_id) for action, who in known if not who.is_restricted or who.id == viewer
        ]
        more = known and len(found) > query.page_size
        end = encode(known[-1][0].row_key, known[-1][1].public_id) if more else None
        return call.answer(tx, HTTPStatus.OK, ActionPage(items=items, next_link=_next(query, end)))


def _next(query: ActionQuery, end: str | None) -> str | None:
    if end is None:
        return None
    parameters = {"user": query.user, "pageSize": query.page_size, "after": end}
    return "/api/actions?" + urlencode({name: value for name, value in parameters.items() if value is not None})
