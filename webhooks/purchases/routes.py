"""The HTTP functions of purchases that need agreement."""

import uuid
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from billing.subscriptions import find_live
from shared.errors import Forbidden
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.http.wire import NoFields
from shared.restore.flow import HELD, require_not_held
from shared.tenancy.store import find_caller
from shared.work import Actor
from webhooks.agreement import service
from webhooks.agreement import store as agreement_store
from webhooks.agreement.rules import Approvers, PurchaseRequest
from webhooks.landing.marketplace_calls import require_client
from webhooks.purchases import flow as purchases_flow
from webhooks.purchases.flow import Agreement
from webhooks.purchases.schemas import (
    AgreePurchase,
    Purchase,
    PurchaseAgreedProblem,
    PurchaseCancelledProblem,
    PurchaseChangedProblem,
    Purchases,
)


blueprint = func.Blueprint()
_TAG: Final = "billing"
_MOST: Final = 100


@route(
    blueprint,
    Operation(
        id="list_purchases",
        method=HTTPMethod.GET,
        path="billing/purchases",
        tag=_TAG,
        answers={200: Answer("The purchases", Purchases)},
    ),
)
def list_purchases(call: Call) -> Reply:
    """Purchases that need agreement.

    Buying TimeTracker for an organization that uses it gives no rights: the purchase waits until a super admin agrees.
    Purchases by a super admin need no agreement and are not listed.
    """
    with call.transaction() as tx:
        requests = agreement_store.newest(tx, call.caller.tenant.id, most=_MOST)
        return call.answer(tx, HTTPStatus.OK, Purchases(items=_purchases(call, tx, requests)))


@route(
    blueprint,
    Operation(
        id="agree_purchase",
        method=HTTPMethod.POST,
        path="billing/purchases/{id}/agree",
        tag=_TAG,
        problem_models=(PurchaseCancelledProblem, PurchaseChangedProblem),
        body=AgreePurchase,
        answers={200: Answer("The purchase as it is now", Purchase)},
        problems=merge_problems(
            NOT_FOUND,
            {
                403: (service.ROLE_REQUIRED,),
                404: ("no_such_route",),
                409: ("purchase_cancelled", "purchase_changed", "agreement_is_live", "another_subscription_is_live"),
                503: ("marketplace_unavailable", HELD),
            },
        ),
    ),
)
def agree_purchase(call: Call, body: AgreePurchase) -> Reply:
    """Agree to a purchase.

    Activates the purchase at Microsoft, which charges from then on, and starts its plan. `plan` and `quantity` are
    those you saw; if they have changed, nothing is done. A repeat changes nothing.
    """
    require_not_held(call.app)
    wanted = public_id(call.path("id"))
    with call.transaction() as tx:
        request = service.require_request(tx, call.caller.tenant.id, wanted)
        service.require_approver(_approvers(call, tx, request), call.caller, call.principal.oid)
    agreement = Agreement(
        tenant_id=call.caller.tenant.id,
        marketplace_id=request.marketplace_id,
        actor=Actor.user(call.caller.user.id),
        plan=body.plan,
        seats=body.quantity,
        ends_agreement=body.end_agreement,
        check=lambda tx, approvers: _require_approver(call, tx, approvers),
    )
    purchases_flow.agree(call.app, require_client(call.app), agreement)
    with call.transaction() as tx:
        return _answer(call, tx, request.marketplace_id)


@route(
    blueprint,
    Operation(
        id="decline_purchase",
        method=HTTPMethod.POST,
        path="billing/purchases/{id}/decline",
        tag=_TAG,
        problem_models=(PurchaseAgreedProblem, PurchaseCancelledProblem),
        body=NoFields,
        locks_tenant=True,
        answers={200: Answer("The purchase as it is now", Purchase)},
        problems=merge_problems(
            NOT_FOUND, {403: (service.ROLE_REQUIRED,), 409: ("purchase_cancelled", "purchase_agreed")}
        ),
    ),
)
def decline_purchase(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - it has no fields
    """Decline a purchase.

    Nothing is activated, and Microsoft charges nothing. The buyer cancels the purchase in the Azure portal, or
    Microsoft does so after 30 days. You can still agree to it until then.
    """
    wanted = public_id(call.path("id"))
    with call.transaction() as tx:
        request = service.require_request(tx, call.caller.tenant.id, wanted)
        service.require_approver(_approvers(call, tx, request), call.caller, call.principal.oid)
        service.decline(call.work(tx), request)
        return _answer(call, tx, request.marketplace_id)


def _require_approver(call: Call, tx: sa.Connection, approvers: Approvers) -> None:
    """Checks the caller again, with their present role and the buyers in Microsoft's copy."""
    caller = find_caller(tx, tid=call.principal.tid, oid=call.principal.oid, lock=False)
    if caller is None:
        raise Forbidden("You have no account here any more.", code=service.ROLE_REQUIRED)
    service.require_approver(approvers, caller, call.principal.oid)


def _approvers(call: Call, tx: sa.Connection, request: PurchaseRequest) -> Approvers:
    return service.load_approvers(call.work(tx), None, request, find_live(tx, call.caller.tenant.id))


def _answer(call: Call, tx: sa.Connection, marketplace_id: uuid.UUID) -> Reply:
    request = service.require_request(tx, call.caller.tenant.id, marketplace_id)
    [purchase] = _purchases(call, tx, [request])
    return call.answer(tx, HTTPStatus.OK, purchase)


def _purchases(call: Call, tx: sa.Connection, requests: list[PurchaseRequest]) -> list[Purchase]:
    if not requests:
        return []
    tenant, live = call.caller.tenant, find_live(tx, call.caller.tenant.id)
    admins = agreement_store.admins(tx, tenant.id)
    ids = (number for each in requests for number in (each.buyer_id, each.decider_id))
    people = agreement_store.people(tx, tenant.id, ids)
    has_agreement = live is not None and live.marketplace_id is None
    items = []
    for each in requests:
        approvers = Approvers(admins, frozenset(), each.buyer_id, has_agreement, call.now)
        may_agree = approvers.admits(call.caller.user, call.principal.oid)
        items.append(Purchase.of(each, approvers, people, may_agree=may_agree))
    return items
