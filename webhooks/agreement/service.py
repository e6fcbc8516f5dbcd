"""A purchase for an existing tenant: requested by its buyer, and agreed to or declined by an approver."""

import uuid
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.subscriptions import Confirmation, Subscription, SubscriptionStatus, Terms, begin
from shared import audit, notices
from shared.audit import Action
from shared.auth.tokens import Principal
from shared.errors import Conflict, Forbidden, NotFound
from shared.notices import NoticeKind
from shared.settings import Settings
from shared.tenancy.model import Caller, Plan, Tenant
from shared.tenancy.store import find_caller
from shared.work import ANONYMOUS, Actor, Work
from tenants.sign_in import admit_buyer
from webhooks.agreement import store as agreement_store
from webhooks.agreement.approver_rules import TEXTS
from webhooks.agreement.rules import Approvers, PurchaseRequest, RequestState, buyers_of


ROLE_REQUIRED: Final = "role_required"
_EVENTS: Final = {
    RequestState.AGREED: (Action.PURCHASE_AGREED, NoticeKind.PURCHASE_AGREED),
    RequestState.DECLINED: (Action.PURCHASE_DECLINED, NoticeKind.PURCHASE_DECLINED),
    RequestState.CANCELLED: (Action.PURCHASE_CANCELLED, NoticeKind.PURCHASE_CANCELLED),
}


def load_approvers(
    work: Work,
    bought: marketplace.Subscription | None,
    request: PurchaseRequest | None,
    live: Subscription | None,
) -> Approvers:
    """The people who may agree. Microsoft's copy names the buyers; `bought` is None where it was not read."""
    return Approvers(
        admins=agreement_store.admins(work.tx, work.tenant.id),
        buyers=frozenset() if bought is None else buyers_of(bought),
        buyer_id=None if request is None else request.buyer_id,
        has_agreement=live is not None and live.marketplace_id is None,
        now=work.now,
    )


def request_agreement(
    work: Work, principal: Principal, bought: marketplace.Subscription, terms: Terms, *, settings: Settings
) -> None:
    """Asks the approvers to agree to a purchase. The tenant is locked, and does not change.

    Raises:
        Forbidden: the buyer's account is deactivated.
    """
    buyer = admit_buyer(work, principal, settings=settings)
    buyer_id = None if buyer is None else buyer.user.id
    if not agreement_store.add(work.tx, work.tenant.id, uuid.UUID(bought.id), terms, buyer_id, work.now):
        return
    actor = ANONYMOUS if buyer_id is None else Actor.user(buyer_id)
    _record(
        replace(work, actor=actor),
        Action.PURCHASE_REQUESTED,
        NoticeKind.PURCHASE_WAITING,
        terms.plan_id,
        terms.quantity,
    )


def agree(work: Work, bought: marketplace.Subscription, terms: Terms, *, ends_agreement: bool) -> None:
    """Starts the purchase; the caller has checked the right to agree and locked the tenant. A repeat changes nothing.

    Raises:
        Conflict: the tenant pays for something else, or has an agreement that `ends_agreement` does not end.
    """
    tx, tenant, marketplace_id = work.tx, work.tenant, uuid.UUID(bought.id)
    request = agreement_store.find(tx, tenant.id, marketplace_id)
    known, live = subscriptions.find_bought(tx, marketplace_id), subscriptions.find_live(tx, tenant.id)
    is_replaced = ends_agreement and live is not None and live.marketplace_id is None
    contact = _find_billing_contact(tx, tenant, bought) or (None if request is None else request.buyer_id)
    confirmation = Confirmation(contact, is_replaced, replaced_trial=tenant.plan is Plan.TRIAL)
    begin(work, marketplace_id, terms, confirmation)
    if known is not None:
        return
    if request is not None:
        agreement_store.decide(tx, request, RequestState.AGREED, by=work.actor.user_id, now=work.now)
    _record(work, *_EVENTS[RequestState.AGREED], terms.plan_id, terms.quantity, ends_agreement=is_replaced)


def decline(work: Work, request: PurchaseRequest) -> None:
    """Declines a purchase that waits, or was declined already. The tenant is locked.

    Raises:
        Conflict: it was agreed to, or canceled.
    """
    known = subscriptions.find_bought(work.tx, request.marketplace_id)
    require_open(request, known)
    if request.state is RequestState.AGREED or known is not None:
        raise already_agreed(request)
    close(work, request, RequestState.DECLINED)


def close(work: Work, request: PurchaseRequest, state: RequestState) -> bool:
    """Declines a request, or records that its purchase was canceled; False if it is decided already."""
    if not agreement_store.decide(work.tx, request, state, by=work.actor.user_id, now=work.now):
        return False
    _record(work, *_EVENTS[state], request.plan_id, request.quantity)
    return True


def require_approver(approvers: Approvers, caller: Caller, object_id: str) -> None:
    """Requires the right to agree to a purchase, or to decline it.

    Raises:
        Forbidden: somebody else has to decide.
    """
    if not approvers.admits(caller.user, object_id):
        raise Forbidden(TEXTS[approvers.agreer].requirement, code=ROLE_REQUIRED)


def require_request(tx: sa.Connection, tenant_id: int, marketplace_id: uuid.UUID | None) -> PurchaseRequest:
    """Raises NotFound where the tenant has no request for that purchase."""
    request = None if marketplace_id is None else agreement_store.find(tx, tenant_id, marketplace_id)
    if request is None:
        raise NotFound("There is no such purchase in your organization.")
    return request


def require_open(request: PurchaseRequest, known: Subscription | None) -> None:
    """Requires a purchase that can still be agreed to, or is agreed to.

    Raises:
        Conflict: it was canceled while it waited, or has ended.
    """
    has_ended = known is not None and known.terms.status is SubscriptionStatus.UNSUBSCRIBED
    if request.state is RequestState.CANCELLED or has_ended:
        raise purchase_ended(request)


def purchase_changed(request: PurchaseRequest, terms: Terms) -> Conflict:
    return Conflict(
        "The plan or the seats of this purchase have changed. Check it again before you agree.",
        code="purchase_changed",
        extra={"state": request.state.value, "purchase": str(request.marketplace_id), **_wire_terms(terms)},
    )


def purchase_ended(request: PurchaseRequest) -> Conflict:
    return Conflict(
        "This purchase was canceled and cannot be started any more. Nothing in your organization was changed. To "
        "continue, buy TimeTracker again in the Azure portal.",
        code="purchase_cancelled",
        extra={"state": RequestState.CANCELLED.value, "purchase": str(request.marketplace_id)},
    )


def already_agreed(request: PurchaseRequest) -> Conflict:
    return Conflict(
        "Your organization has agreed to this purchase. It can be canceled in the Azure portal under SaaS.",
        code="purchase_agreed",
        extra={"state": RequestState.AGREED.value, "purchase": str(request.marketplace_id)},
    )


def _find_billing_contact(tx: sa.Connection, tenant: Tenant, bought: marketplace.Subscription) -> int | None:
    """The account of the purchaser, else of the beneficiary."""
    for party in (bought.purchaser, bought.beneficiary):
        if party.oid and party.tid == bought.beneficiary.tid:
            caller = find_caller(tx, tid=party.tid, oid=party.oid, lock=False)
            if caller is not None and caller.tenant.id == tenant.id:
                return caller.user.id
    return None


def _wire_terms(terms: Terms) -> dict[str, str | int]:
    seats = {} if terms.quantity is None else {"quantity": terms.quantity}
    return {"plan": terms.plan_id, **seats}


def _record(
    work: Work,
    action: Action,
    kind: NoticeKind,
    plan_id: str,
    seats: int | None,
    *,
    ends_agreement: bool | None = None,
) -> None:
    """Adds the event to the audit log and to the notices."""
    details = {} if ends_agreement is None else {"endsAgreement": ends_agreement}
    audit.record(work, action, after={"subscriptionPlan": plan_id, "seatLimit": seats, **details})
    notices.record(work, kind, by=work.actor.user_id, details={"plan": plan_id, "seats": seats})
