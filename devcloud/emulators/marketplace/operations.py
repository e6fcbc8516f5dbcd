"""The operations on subscriptions: begin, acceptance (also by time), rejection and revert."""

import datetime as dt
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from devcloud.emulators.marketplace.behavior import Behavior, MarketplacePace, ResponseShapes
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.model import (
    CHANGES,
    PAST,
    Action,
    Operation,
    Progress,
    Source,
    State,
    StateFile,
    Subscription,
    Usage,
)
from shared import clock


SendEvent = Callable[[Operation, Subscription], None]


class Operations:
    """Works under one lock and first accepts due operations, so that no timer is needed.

    `send_event` is called under the lock with each event for the webhook.
    """

    def __init__(
        self,
        state_file: StateFile,
        behavior: Behavior,
        *,
        now: Callable[[], dt.datetime],
        monotonic: Callable[[], float],
        send_event: SendEvent,
    ) -> None:
        self._behavior = behavior
        self.now, self.monotonic = now, monotonic
        self._state_file, self._send_event = state_file, send_event
        self._lock = threading.RLock()

    @property
    def shapes(self) -> ResponseShapes:
        return self._behavior.shapes

    @property
    def pace(self) -> MarketplacePace:
        return self._behavior.pace

    @contextmanager
    def reading(self) -> Iterator[State]:
        """The present state."""
        with self._lock:
            self._accept_due()
            yield self._state_file.state

    @contextmanager
    def updating(self) -> Iterator[State]:
        """The present state; changes are stored in the file."""
        with self.reading() as state:
            yield state
            self._state_file.save()

    def subscription(self, subscription_id: str) -> Subscription:
        """Raises MarketplaceError for an unknown subscription."""
        with self.reading() as state:
            if subscription_id not in state.subscriptions:
                raise MarketplaceError(404, "NotFound", f"Subscription {subscription_id} was not found.")
            return state.subscriptions[subscription_id]

    def find(self, subscription_id: str, operation_id: str) -> Operation:
        """Raises MarketplaceError for an unknown or hidden operation."""
        with self.reading() as state:
            found = state.operations.get(operation_id)
            hidden = self.shapes.hidden_notices and found is not None and found.action in {"Suspend", "Renew"}
            if found is None or found.subscription_id != subscription_id or hidden:
                raise MarketplaceError(self.shapes.unknown_operation, "NotFound", "There is no such operation.")
            return found

    def usage(self) -> list[Usage]:
        """The accepted usage events."""
        with self.reading() as state:
            return list(state.usage)

    def outstanding(self, subscription_id: str) -> list[Operation]:
        with self.reading() as state:
            own = (each for each in state.operations.values() if each.subscription_id == subscription_id)
            return [each for each in own if each.status == "InProgress"]

    def begin(
        self, subscription: Subscription, action: Action, plan_id: str, quantity: int | None, source: Source
    ) -> Operation:
        """Begins a change that the publisher may reject until it is due; one at a time."""
        if self.outstanding(subscription.id):
            raise MarketplaceError(409, "Conflict", "The subscription is locked due to pending operations.")
        operation = self._new(
            subscription, action, (plan_id, quantity), source=source, status="InProgress", due=self._due()
        )
        self._send_event(operation.model_copy(), subscription.model_copy())
        return operation

    def notice(self, subscription: Subscription, action: Action, source: Source = "Azure") -> Operation:
        """Records an event that needs no acceptance."""
        value = (subscription.plan_id, subscription.quantity)
        operation = self._new(subscription, action, value, source=source, status="Succeeded")
        self._send_event(operation.model_copy(), subscription.model_copy())
        return operation

    def acknowledge(self, subscription_id: str, operation_id: str, status: object) -> None:
        """Handles the publisher's PATCH of a change.

        Raises:
            MarketplaceError: it is not a change, or has a result already.
        """
        with self.updating():
            operation = self.find(subscription_id, operation_id)
            if status not in {"Success", "Failure"}:
                raise MarketplaceError(400, "InvalidValue", "The status is Success or Failure.")
            if operation.source == "Partner":
                raise MarketplaceError(500, "InternalServerError", "The publisher asked for this operation itself.")
            if operation.action not in {*CHANGES, "Reinstate"}:
                raise MarketplaceError(400, "BadArgument", "This operation is a notice.")
            late_rejection = status == "Failure" and self._can_be_reverted(operation)
            if operation.acknowledged or (operation.status != "InProgress" and not late_rejection):
                raise MarketplaceError(409, "Conflict", operation_id)
            self._decide(operation, accepted=status == "Success")

    def handle_response(self, operation_id: str, *, accepted: bool) -> None:
        """Handles the status of the webhook's response to a change."""
        with self.updating() as state:
            operation = state.operations[operation_id]
            if not accepted and operation.action in CHANGES and not operation.acknowledged:
                self._decide(operation, accepted=False)
            elif accepted and operation.status == "InProgress" and operation.due == math.inf:
                operation.due = self.monotonic() + self.pace.ack_seconds

    def _decide(self, operation: Operation, *, accepted: bool) -> None:
        """Accepts or rejects a change; a revert is always accepted."""
        operation.acknowledged = True
        if accepted or operation.is_revert:
            self._accept(operation)
        elif operation.status == "InProgress":
            operation.status = "Failed"
            if self.shapes.revert == "always" and operation.action in CHANGES:
                self._revert(operation)
        elif self._can_be_reverted(operation):
            self._revert(operation)

    def _can_be_reverted(self, operation: Operation) -> bool:
        """Whether it was accepted by time and may still be rejected."""
        accepted = operation.status == "Succeeded" and operation.action in CHANGES
        return accepted and not operation.is_revert and self.shapes.revert != "never"

    def _revert(self, operation: Operation) -> None:
        """Restores the former value first, so that the event has the present value."""
        subscription = self._state_file.state.subscriptions[operation.subscription_id]
        if subscription.status == "Unsubscribed":
            return
        subscription.plan_id, subscription.quantity = operation.before
        reverting = self._new(
            subscription, operation.action, operation.before, source="Azure", status="InProgress", due=self._due()
        )
        reverting.is_revert = True
        self._send_event(reverting.model_copy(), subscription.model_copy())

    def _accept(self, operation: Operation) -> None:
        subscription = self._state_file.state.subscriptions[operation.subscription_id]
        operation.status = "Succeeded"
        match operation.action:
            case "Reinstate":
                subscription.status = "Subscribed"
            case "ChangePlan":
                subscription.plan_id = operation.plan_id
            case "ChangeQuantity":
                subscription.quantity = operation.quantity

    def _accept_due(self) -> None:
        now = self.monotonic()
        for operation in self._state_file.state.operations.values():
            if operation.status == "InProgress" and operation.due <= now:
                self._accept(operation)

    def _due(self) -> float:
        return math.inf if self.shapes.unanswered == "wait" else self.monotonic() + self.pace.ack_seconds

    def _new(
        self,
        subscription: Subscription,
        action: Action,
        value: tuple[str, int | None],
        *,
        source: Source,
        status: Progress,
        due: float = PAST,
    ) -> Operation:
        operation = Operation(
            id=str(clock.new_id()),
            subscription_id=subscription.id,
            action=action,
            plan_id=value[0],
            quantity=value[1],
            source=source,
            status=status,
            created_at=self.now(),
            due=due,
            before=(subscription.plan_id, subscription.quantity),
        )
        self._state_file.state.operations[operation.id] = operation
        return operation
