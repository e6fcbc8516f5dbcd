"""Asks Microsoft what an event is about: its operation, those we accepted lately, and at last the subscription.

In this order, since the subscription then has whatever the operations had done when they were read. What they have not
done yet is put on top: the copy shows the old value until an accepted change is in force, and would undo it.
"""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from billing import subscriptions
from billing.marketplace import MarketplaceNotFound, Operation
from billing.subscriptions import EventSource, SubscriptionStatus, Terms
from shared.deadline import Deadline
from shared.work import SERVICE, Actor
from webhooks.events import rules
from webhooks.events.rules import Action, Seen, Told


if TYPE_CHECKING:
    from billing.marketplace import Marketplace


RECONCILE: Final = "Reconcile"
REPLAY: Final = "Replay"


class NotTold(Exception):
    """Microsoft does not tell yet what is needed to act; the reason is a short code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownAction(Exception):
    """Nobody here knows what the event means."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be settled. `action` is what the caller says it is about, or our own reason to look."""

    marketplace_id: uuid.UUID
    operation_id: uuid.UUID | None
    action: str
    source: EventSource = EventSource.WEBHOOK
    actor: Actor = SERVICE

    @property
    def is_ours(self) -> bool:
        return self.action in {RECONCILE, REPLAY}


def find_unnamed(client: "Marketplace", question: Question, deadline: Deadline) -> uuid.UUID | None:
    """The operation of an event that names none, as of a Reinstate in its short form, where Microsoft waits for us."""
    if question.operation_id is not None or question.action not in rules.ACCEPTED:
        return None
    waiting = client.operations(str(question.marketplace_id), deadline)
    return next((uuid.UUID(each.id) for each in waiting if each.action == question.action), None)


def ask(client: "Marketplace", seen: Seen, question: Question, deadline: Deadline) -> Told:
    """What Microsoft has.

    Raises:
        UnknownAction: its operation, or the event when it has none, is about something new.
        NotTold: it does not have yet what the event tells.
        MarketplaceError: it cannot be asked.
    """
    subscription_id = str(question.marketplace_id)
    operation = _operation(client, question, deadline)
    action = question.action if operation is None else operation.action
    if action not in rules.KNOWN and not question.is_ours:
        raise UnknownAction
    others = [each for each in seen.accepted if each != question.operation_id]
    accepted = [_readable(client.operation(subscription_id, str(each), deadline)) for each in others]
    copy = subscriptions.terms_of(client.get(subscription_id, deadline))
    if copy is None:
        raise NotTold("status_unknown")
    present = subscriptions.completed(copy, seen.subscription.terms)
    terms = rules.expected(present, [*accepted, *([] if operation is None else [operation])])
    _require_shown(action, operation, terms, seen)
    quote, is_wanted = None, question.action == REPLAY or rules.needs_price(seen, terms)
    if is_wanted and terms.status.is_live:
        plans = client.plans(subscription_id, deadline)
        if subscriptions.lacks_seats(terms, plans):
            raise NotTold("quantity_unknown")
        quote = subscriptions.quote_of(plans, terms)
    return Told(present, terms, operation, quote)


def _operation(client: "Marketplace", question: Question, deadline: Deadline) -> Operation | None:
    """Microsoft's copy of the event; None for a notice that Get Operation does not cover."""
    if question.operation_id is None:
        return None
    try:
        operation = client.operation(str(question.marketplace_id), str(question.operation_id), deadline)
    except MarketplaceNotFound:
        if question.action in rules.CHANGES:
            raise NotTold("operation_unknown") from None  # a new one may take a moment to show
        return None
    return _readable(operation)


def _readable(operation: Operation) -> Operation:
    """Raises NotTold for one that does not say how far it is, or what it is about to change."""
    if not rules.is_decidable(operation):
        raise NotTold("operation_unreadable")
    return operation


def _require_shown(action: str, operation: Operation | None, terms: Terms, seen: Seen) -> None:
    """What is final, or what lets people work again, is not passed over because the copy is late.

    Raises:
        NotTold: the copy does not show it.
    """
    if action == Action.UNSUBSCRIBE and terms.status is not SubscriptionStatus.UNSUBSCRIBED:
        raise NotTold("not_ended_yet")
    suspended = terms.status is SubscriptionStatus.SUSPENDED
    if action == Action.REINSTATE and operation is None and suspended and not seen.was_reinstated:
        raise NotTold("not_reinstated_yet")
