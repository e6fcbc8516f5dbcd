"""Decides what an event of the Marketplace changes, from Microsoft's copies only."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from billing import marketplace
from billing.subscriptions import Outcome, Quote, Subscription, SubscriptionStatus, Terms
from shared.tenancy.model import Plan, Tenant


class Action(StrEnum):
    CHANGE_PLAN = "ChangePlan"
    CHANGE_QUANTITY = "ChangeQuantity"
    REINSTATE = "Reinstate"
    RENEW = "Renew"
    SUSPEND = "Suspend"
    UNSUBSCRIBE = "Unsubscribe"


ACTIONS: Final = frozenset(Action)
# An older version of Microsoft's API reports a new purchase, which landing page and daily comparison handle.
IGNORED: Final = frozenset({"Subscribe"})
CHANGES: Final = frozenset({Action.CHANGE_PLAN, Action.CHANGE_QUANTITY})
# In force at Microsoft only some time after we accepted them.
DELAYED: Final = frozenset({*CHANGES, Action.REINSTATE})
_UNDER_WAY: Final = frozenset({"NotStarted", marketplace.IN_PROGRESS})
_FAILED: Final = frozenset({"Failed", "Conflict"})


@dataclass(frozen=True, slots=True)
class KnownState:
    """Our subscription before Microsoft is asked, with recent events from the ledger.

    `outcome` is that of the same event, if it came before. `accepted` are operations that we accepted lately, the
    newest of each action; Microsoft's copy may not show them yet.
    """

    subscription: Subscription
    outcome: Outcome | None
    accepted: tuple[uuid.UUID, ...]
    was_reinstated: bool
    lacks_price: bool = False  # no price could be read yet; checked only for events without an operation


@dataclass(frozen=True, slots=True)
class MarketplaceState:
    """Microsoft's state: `current` is its copy, `terms` the copy with the pending operations."""

    current: Terms
    terms: Terms
    operation: marketplace.Operation | None
    quote: Quote | None = None  # None if no price was needed
    is_plan_sold: bool = True  # whether the requested plan is one of this product


@dataclass(frozen=True, slots=True)
class SeatsInUse:
    """Refusal of a reduction of seats: more accounts are enabled than seats requested."""

    used: int
    requested: int


@dataclass(frozen=True, slots=True)
class PlanNotSold:
    """Refusal of a change of plan: the plan is not one of this product."""

    plan_id: str


def is_under_way(operation: marketplace.Operation) -> bool:
    return operation.status in _UNDER_WAY


def has_failed(operation: marketplace.Operation) -> bool:
    """Whether Microsoft gave the operation up: it was rejected, came too late, or would have changed nothing."""
    return operation.status in _FAILED


def expected_terms(current: Terms, operations: Iterable[marketplace.Operation]) -> Terms:
    """Microsoft's copy with the pending operations, in the order of their acceptance.

    The copy was read after them, so the end of the subscription also ended them.
    """
    terms = current
    if current.status is SubscriptionStatus.UNSUBSCRIBED:
        return current
    for operation in filter(is_under_way, operations):
        match operation.action:
            case Action.CHANGE_PLAN:
                terms = replace(terms, plan_id=operation.plan_id[:100])
            case Action.CHANGE_QUANTITY:
                terms = replace(terms, quantity=operation.quantity)
            case Action.REINSTATE if terms.status is SubscriptionStatus.SUSPENDED:
                terms = replace(terms, status=SubscriptionStatus.SUBSCRIBED)
    return terms


def is_decidable(operation: marketplace.Operation) -> bool:
    """Whether an operation has a known status and, while it is pending, the value of its change.

    A missing number of seats must not become "unlimited", nor a missing status a failed change.
    """
    if operation.action in DELAYED and operation.status not in {*_UNDER_WAY, *_FAILED, marketplace.SUCCEEDED}:
        return False
    if not is_under_way(operation):
        return True
    match operation.action:
        case Action.CHANGE_PLAN:
            return bool(operation.plan_id)
        case Action.CHANGE_QUANTITY:
            return operation.quantity is not None
    return True


def needs_price(known: KnownState, terms: Terms) -> bool:
    """Whether to read the price: for a first payment, another plan or term, or if it could not be read before."""
    before = known.subscription
    other_term = bool(terms.term_unit) and before.terms.term_unit != terms.term_unit
    other_plan = before.terms.plan_id != terms.plan_id
    is_needed = before.paid_from is None or other_plan or other_term or known.lacks_price
    return terms.status.is_live and before.terms.status is not SubscriptionStatus.UNSUBSCRIBED and is_needed


def check_seats(tenant: Tenant, microsoft: MarketplaceState) -> SeatsInUse | None:
    """Refuses a reduction to fewer seats than enabled accounts.

    Not refused are an increase, even if it is too low, and a revert to the current value. Without a current number
    of seats it is uncertain whether the change is a reduction, and only what is certain is refused.
    """
    operation = microsoft.operation
    if operation is None or operation.action != Action.CHANGE_QUANTITY or not is_under_way(operation):
        return None
    requested, current = operation.quantity, microsoft.current.quantity
    if requested is None or current is None or tenant.plan is Plan.INTERNAL or requested >= tenant.seats_used:
        return None
    return SeatsInUse(tenant.seats_used, requested) if requested < current else None


def check_plan(microsoft: MarketplaceState) -> PlanNotSold | None:
    """Refuses a change to another product's plan, unless it reverts to the current plan."""
    operation = microsoft.operation
    if (
        microsoft.is_plan_sold
        or operation is None
        or operation.action != Action.CHANGE_PLAN
        or not is_under_way(operation)
    ):
        return None
    return PlanNotSold(operation.plan_id) if operation.plan_id != microsoft.current.plan_id else None


def exceeds_seats(tenant: Tenant, before: Subscription, after: Subscription) -> bool:
    """Whether this change leaves more enabled accounts than seats. Accounts stay enabled, but none can be added."""
    seats = after.terms.quantity
    if tenant.plan is Plan.INTERNAL or seats is None or not after.terms.status.is_live:
        return False
    is_new = before.terms.quantity != seats or not before.terms.status.is_live
    return is_new and tenant.seats_used > seats
