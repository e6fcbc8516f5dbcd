"""The HTTP function of an organization's subscription."""

from http import HTTPMethod, HTTPStatus

import azure.functions as func

from billing.subscriptions import history_store
from billing.subscriptions.schemas import Subscription, SubscriptionDetail, SubscriptionEvent, SubscriptionQuery
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from shared.tenancy.rules import seat_cap


blueprint = func.Blueprint()


@route(
    blueprint,
    Operation(
        id="get_subscription",
        method=HTTPMethod.GET,
        path="billing/subscription",
        tag="billing",
        query=SubscriptionQuery,
        answers={200: Answer("The plan, and a page of the history", SubscriptionDetail)},
    ),
)
def get_subscription(call: Call, query: SubscriptionQuery) -> Reply:
    """Subscription of your organization, with its history.

    Plan, seats, term and price, and the events of its subscriptions. A trial has no subscription.
    """
    with call.transaction() as tx:
        tenant = call.caller.tenant
        found = history_store.current(tx, tenant.id)
        rate = None if found is None else history_store.rate_in_force(tx, found, call.now)
        contact = None if found is None else history_store.billing_contact(tx, found)
        rows = history_store.ledger(tx, tenant.id, before=query.before, limit=query.limit)
        query.require_rows(rows)
        history = [SubscriptionEvent.of(row) for row in rows[: query.page_size]]
        detail = SubscriptionDetail.of(
            tenant,
            None if found is None else Subscription.of(found, rate, contact),
            history,
            seat_limit=seat_cap(tenant, call.app.settings.trial_user_limit),
            next_link=query.next_link(call.link("billing/subscription"), rows, lambda row: row.number),
            now=call.now,
        )
        return call.answer(tx, HTTPStatus.OK, detail)
