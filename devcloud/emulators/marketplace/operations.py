"""The operations on subscriptions: how each begins, is accepted, rejected or reverted, and settles as time goes by."""

import datetime as dt
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from devcloud.emulators.marketplace.model import (
    CHANGES,
    PAST,
    Action,
    Memory,
    Operation,
    Progress,
    Source,
    State,
    Subscription,
    Usage,
)
from devcloud.emulators.marketplace.refusal import Refused
from devcloud.emulators.marketplace.switches import Behaviour, Pace, Shapes
from shared import clock


Tell = Callable[[Operation, Subscription], None]


class Operations:
    """Everything happens under one lock and first settles what is overdue, so that no timer is needed for it.

    `tell` is called, under the lock, with each event the publisher's webhook must hear of.
    """

    def __init__(
        self,
        memory: Memory,
        behaviour: Behaviour,
        *,
        now: Callable[[], dt.datetime],
        monotonic: Callable[[], float],
        tell: Tell,
    ) -> None:
        self._behaviour = behaviour
        self.now, self.monotonic = now, monotonic
        self._memory, self._tell = memory, tell
        self._lock = threading.RLock()

    @property
    def shapes(self) -> Shapes:
        return self._behaviour.shapes

    @property
    def pace(self) -> Pace:
        return self._behaviour.pace

    @contextmanager
    def looking(self) -> Iterator[State]:
        """The present state."""
        with self._lock:
            self._settle()
            yield self._memory.state

    @contextmanager
    def changing(self) -> Iterator[State]:
        """The present state; what is changed in it is kept in the file."""
        with self.looking() as state:
            yield state
            self._memory.keep()

    def subscription(self, subscription_id: str) -> Subscription:
        """Raises Refused for an unknown one."""
        with self.looking() as state:
            if subscription_id not in state.subscriptions:
                raise Refused(404, "NotFound", f"Subscription {subscription_id} was not found.")
            return state.subscriptions[subscription_id]

    def find(self, subscription_id: str, operation_id: str) -> Operation:
        """Raises Refused for one that the Marketplace does not know, or does not show."""
        with self.looking() as state:
            found = state.operations.get(operation_id)
            hidden = self.shapes.hidden_notices and found is not None and found.action in {"Suspend", "Renew"}
            if found is None or found.subscription_id != subscription_id or hidden:
                raise Refused(self.shapes.unknown_operation, "NotFound", "There is no such operation.")
            return found

    def usage(self) -> list[Usage]:
        """What the meter has taken."""
        with self.looking() as state:
            return list(state.usage)

    def outstanding(self, subscription_id: str) -> list[Operation]:
        with self.looking() as state:
            mine = (each for each in state.operations.values() if each.subscription_id == subscription_id)
            return [each for each in mine if each.status == "InProgress"]

    def begin(
        self, subscription: Subscription, action: Action, plan_id: str, quantity: int | None, source: Source
    ) -> Operation:
        """A change that the publisher may reject until it is due; one at a time."""
        if self.outstanding(subscription.id):
            raise Refused(409, "Conflict", "The subscription is locked due to pending operations.")
        operation = self._new(
            subscription, action, (plan_id, quantity), source=source, status="InProgress", due=self._due()
        )
        self._tell(operation.model_copy(), subscription.model_copy())
        return operation

    def notice(self, subscription: Subscription, action: Action, source: Source = "Azure") -> Operation:
        """An event that has happened already."""
        value = (subscription.plan_id, subscription.quantity)
        operation = self._new(subscription, action, value, source=source, status="Succeeded")
        self._tell(operation.model_copy(), subscription.model_copy())
        return operation

    def acknowledge(self, subscription_id: str, operation_id: str, said: object) -> None:
        """What the publisher says of a change by PATCH.

        Raises:
            Refused: it is no change, or was settled before.
        """
        with self.changing():
            operation = self.find(subscription_id, operation_id)
            if said not in {"Success", "Failure"}:
                raise Refused(400, "InvalidValue", "The status is Success or Failure.")
            if operation.source == "Partner":
                raise Refused(500, "InternalServerError", "The publisher asked for this operation itself.")
            if operation.action not in {*CHANGES, "Reinstate"}:
                raise Refused(400, "BadArgument", "This operation is a notice.")
            late_rejection = said == "Failure" and self._can_be_reverted(operation)
            if operation.acknowledged or (operation.status != "InProgress" and not late_rejection):
                raise Refused(409, "Conflict", operation_id)
            self._decide(operation, accepted=said == "Success")

    def answered(self, operation_id: str, *, accepted: bool) -> None:
        """What the publisher's webhook said of a change by the status of its answer."""
        with self.changing() as state:
            operation = state.operations[operation_id]
            if not accepted and operation.action in CHANGES and not operation.acknowledged:
                self._decide(operation, accepted=False)
            elif accepted and operation.status == "InProgress" and operation.due == math.inf:
                operation.due = self.monotonic() + self.pace.ack_seconds

    def _decide(self, operation: Operation, *, accepted: bool) -> None:
        """A revert is in force whatever is said of it."""
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
        """Whether it was accepted since nobody said anything in time, and may still be rejected."""
        accepted = operation.status == "Succeeded" and operation.action in CHANGES
        return accepted and not operation.is_revert and self.shapes.revert != "never"

    def _revert(self, operation: Operation) -> None:
        """Goes back to the former value first, so that the event's new value is the present one."""
        subscription = self._memory.state.subscriptions[operation.subscription_id]
        if subscription.status == "Unsubscribed":
            return
        subscription.plan_id, subscription.quantity = operation.before
        back = self._new(
            subscription, operation.action, operation.before, source="Azure", status="InProgress", due=self._due()
        )
        back.is_revert = True
        self._tell(back.model_copy(), subscription.model_copy())

    def _accept(self, operation: Operation) -> None:
        subscription = self._memory.state.subscriptions[operation.subscription_id]
        operation.status = "Succeeded"
        match operation.action:
            case "Reinstate":
                subscription.status = "Subscribed"
            case "ChangePlan":
                subscription.plan_id = operation.plan_id
            case "ChangeQuantity":
                subscription.quantity = operation.quantity

    def _settle(self) -> None:
        now = self.monotonic()
        for operation in self._memory.state.operations.values():
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
        self._memory.state.operations[operation.id] = operation
        return operation
