"""Reads from Microsoft what an event changes: its operation, recently accepted ones, and then the subscription.

In this order, the subscription includes every operation that was complete when it was read. Pending operations are
added to it, since Microsoft's copy has the old value until an accepted change is in force, and would undo it.
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
from webhooks.events.rules import Action, KnownState, MarketplaceState


if TYPE_CHECKING:
    from billing.marketplace import MarketplaceClient


RECONCILE: Final = "Reconcile"
REPLAY: Final = "Replay"


class StateNotAvailable(Exception):
    """Microsoft does not show the state that the event needs yet. The reason is a short code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownAction(Exception):
    """This version does not know the event's action."""


@dataclass(frozen=True, slots=True)
class EventRef:
    """The reference of an event. `action` is the caller's word for it, or our own reason to look."""

    marketplace_id: uuid.UUID
    operation_id: uuid.UUID | None
    action: str
    source: EventSource = EventSource.WEBHOOK
    actor: Actor = SERVICE

    @property
    def is_internal(self) -> bool:
        return self.action in {RECONCILE, REPLAY}


def find_pending_operation(client: "MarketplaceClient", ref: EventRef, deadline: Deadline) -> uuid.UUID | None:
    """The operation of an event without an operation id, such as the short form of Reinstate."""
    if ref.operation_id is not None or ref.action not in rules.DELAYED:
        return None
    pending = client.operations(str(ref.marketplace_id), deadline)
    return next((uuid.UUID(each.id) for each in pending if each.action == ref.action), None)


def fetch_state(client: "MarketplaceClient", known: KnownState, ref: EventRef, deadline: Deadline) -> MarketplaceState:
    """Microsoft's state of the subscription.

    Raises:
        UnknownAction: the action of the operation, or of an event without one, is unknown.
        StateNotAvailable: Microsoft does not show the event's change yet.
        MarketplaceError: Microsoft does not answer.
    """
    subscription_id = str(ref.marketplace_id)
    operation = _fetch_operation(client, ref, deadline)
    action = ref.action if operation is None else operation.action
    if action not in rules.ACTIONS and not ref.is_internal:
        raise UnknownAction
    others = [each for each in known.accepted if each != ref.operation_id]
    accepted = [_require_decidable(client.operation(subscription_id, str(each), deadline)) for each in others]
    copy = subscriptions.terms_of(client.get(subscription_id, deadline))
    if copy is None:
        raise StateNotAvailable("status_unknown")
    current = subscriptions.fill_missing_terms(copy, known.subscription.terms)
    terms = rules.expected_terms(current, [*accepted, *([] if operation is None else [operation])])
    _require_visible(action, operation, terms, known)
    quote, needs_quote = None, ref.action == REPLAY or rules.needs_price(known, terms)
    if needs_quote and terms.status.is_live:
        plans = client.plans(subscription_id, deadline)
        if subscriptions.lacks_seats(terms, plans):
            raise StateNotAvailable("quantity_unknown")
        quote = subscriptions.quote_of(plans, terms)
    return MarketplaceState(current, terms, operation, quote)


def _fetch_operation(client: "MarketplaceClient", ref: EventRef, deadline: Deadline) -> Operation | None:
    """Microsoft's copy of the event; None for a notice that Get Operation does not have."""
    if ref.operation_id is None:
        return None
    try:
        operation = client.operation(str(ref.marketplace_id), str(ref.operation_id), deadline)
    except MarketplaceNotFound:
        if ref.action in rules.CHANGES:
            raise StateNotAvailable("operation_unknown") from None  # a new one may appear after a moment
        return None
    return _require_decidable(operation)


def _require_decidable(operation: Operation) -> Operation:
    """Raises StateNotAvailable for an operation without a known status, or without the value of its change."""
    if not rules.is_decidable(operation):
        raise StateNotAvailable("operation_unreadable")
    return operation


def _require_visible(action: str, operation: Operation | None, terms: Terms, known: KnownState) -> None:
    """Waits for a copy that shows the end or the reinstatement, since neither may be missed because a copy is late.

    Raises:
        StateNotAvailable: Microsoft's copy does not show it.
    """
    if action == Action.UNSUBSCRIBE and terms.status is not SubscriptionStatus.UNSUBSCRIBED:
        raise StateNotAvailable("not_ended_yet")
    suspended = terms.status is SubscriptionStatus.SUSPENDED
    if action == Action.REINSTATE and operation is None and suspended and not known.was_reinstated:
        raise StateNotAvailable("not_reinstated_yet")
