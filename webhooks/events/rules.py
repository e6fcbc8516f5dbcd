"""Decides what an event of the Marketplace asks for, from Microsoft's copies alone."""

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


KNOWN: Final = frozenset(Action)
# Of an older version of Microsoft's API: a purchase has become active, which the landing page and the comparison see.
NEEDS_NOTHING: Final = frozenset({"Subscribe"})
CHANGES: Final = frozenset({Action.CHANGE_PLAN, Action.CHANGE_QUANTITY})
# What is in force at Microsoft only some time after we have accepted it.
ACCEPTED: Final = frozenset({*CHANGES, Action.REINSTATE})
_UNDER_WAY: Final = frozenset({"NotStarted", marketplace.IN_PROGRESS})
_FAILED: Final = frozenset({"Failed", "Conflict"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A subscription before Microsoft was asked about it, and what the ledger has of the event and of its past minutes.

    `accepted` are the operations that we accepted lately, the newest of each action: Microsoft's copy may not have
    them yet.
    """

    subscription: Subscription
    outcome: Outcome | None
    accepted: tuple[uuid.UUID, ...]
    was_reinstated: bool
    lacks_price: bool = False  # what a user costs could not be read yet; looked at where no operation is named


@dataclass(frozen=True, slots=True)
class Told:
    """What Microsoft has: `terms` are its copy with what it is about to put in force, `present` without."""

    present: Terms
    terms: Terms
    operation: marketplace.Operation | None
    quote: Quote | None = None  # None where the price was not asked for
    is_sold: bool = True  # the plan that is asked for is one of this product


@dataclass(frozen=True, slots=True)
class SeatsTaken:
    """Why a cut of seats is refused."""

    used: int
    wanted: int


@dataclass(frozen=True, slots=True)
class NotSold:
    """Why a change of plan is refused: it is none of this product's."""

    plan_id: str


def is_under_way(operation: marketplace.Operation) -> bool:
    return operation.status in _UNDER_WAY


def has_failed(operation: marketplace.Operation) -> bool:
    """Whether Microsoft gave it up: it was rejected, came too late, or would have changed nothing."""
    return operation.status in _FAILED


def expected(present: Terms, operations: Iterable[marketplace.Operation]) -> Terms:
    """Microsoft's copy with the operations that it is still carrying out, in the order of their acceptance.

    The copy was read after them: where the subscription has ended since, so have they.
    """
    terms = present
    if present.status is SubscriptionStatus.UNSUBSCRIBED:
        return present
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
    """Whether it says how far it is, and a change under way what to.

    No seats must not be taken for no cap, nor no name for a plan, nor no status for a change that was given up.
    """
    if operation.action in ACCEPTED and operation.status not in {*_UNDER_WAY, *_FAILED, marketplace.SUCCEEDED}:
        return False
    if not is_under_way(operation):
        return True
    match operation.action:
        case Action.CHANGE_PLAN:
            return bool(operation.plan_id)
        case Action.CHANGE_QUANTITY:
            return operation.quantity is not None
    return True


def needs_price(seen: Seen, terms: Terms) -> bool:
    """Whether what a user costs is to be asked for.

    It begins to be paid for, is another plan or another term from now on, or the price could not be read before.
    """
    before = seen.subscription
    other_term = bool(terms.term_unit) and before.terms.term_unit != terms.term_unit
    is_wanted = before.paid_from is None or before.terms.plan_id != terms.plan_id or other_term or seen.lacks_price
    return terms.status.is_live and before.terms.status is not SubscriptionStatus.UNSUBSCRIBED and is_wanted


def seats_taken(tenant: Tenant, told: Told) -> SeatsTaken | None:
    """Why the change may not be accepted: fewer seats than enabled accounts.

    A raise that is still too low is none of it, and neither is a revert, whose value is in force already. Where nobody
    knows how many there are, whether it is a cut is not certain, and only what is certain is refused.
    """
    operation = told.operation
    if operation is None or operation.action != Action.CHANGE_QUANTITY or not is_under_way(operation):
        return None
    wanted, present = operation.quantity, told.present.quantity
    if wanted is None or present is None or tenant.plan is Plan.INTERNAL or wanted >= tenant.seats_used:
        return None
    return SeatsTaken(tenant.seats_used, wanted) if wanted < present else None


def not_sold(told: Told) -> NotSold | None:
    """Why the change may not be accepted: another product's plan. A revert to what is in force is none of it."""
    operation = told.operation
    if told.is_sold or operation is None or operation.action != Action.CHANGE_PLAN or not is_under_way(operation):
        return None
    return NotSold(operation.plan_id) if operation.plan_id != told.present.plan_id else None


def is_over_limit(tenant: Tenant, before: Subscription, after: Subscription) -> bool:
    """Whether by this move there are more enabled accounts than seats; nobody is turned out, and nobody let in."""
    seats = after.terms.quantity
    if tenant.plan is Plan.INTERNAL or seats is None or not after.terms.status.is_live:
        return False
    is_new = before.terms.quantity != seats or not before.terms.status.is_live
    return is_new and tenant.seats_used > seats
