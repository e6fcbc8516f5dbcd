"""Applies an event of the Marketplace: its change and its ledger row are one transaction."""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.closing import Closing, close_ended
from billing.subscriptions import Event, EventSource, Outcome, Subscription, SubscriptionChange
from shared import audit
from shared.audit import Action
from shared.work import Work
from webhooks.events import rules, store
from webhooks.events.rules import KnownState, MarketplaceState, PlanNotSold, SeatsInUse


SEATS_IN_USE: Final = "seats_in_use"
PLAN_NOT_SOLD: Final = "plan_not_sold"
RECENT: Final = dt.timedelta(minutes=30)  # longer than Microsoft takes to put an accepted change in force


class Overtaken(Exception):
    """Somebody else changed the subscription after it was read, so Microsoft has to be asked again."""


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event, or our own check of Microsoft's state, which has no `operation_id`."""

    event_type: str
    operation_id: uuid.UUID | None
    source: EventSource


@dataclass(frozen=True, slots=True)
class EventResult:
    """The result of an event; `alarms` are names of log events to write after the commit."""

    tenant: uuid.UUID | None = None
    billed: int | None = None  # the tenant whose last month was closed, so its usage is sent at once
    changed: bool = False
    refused: SeatsInUse | PlanNotSold | None = None
    alarms: tuple[str, ...] = ()


def load_known(
    tx: sa.Connection, marketplace_id: uuid.UUID, operation_id: uuid.UUID | None, *, now: dt.datetime
) -> KnownState | None:
    """The subscription before Microsoft is asked; None for one that was never set up here."""
    subscription = subscriptions.find_bought(tx, marketplace_id)
    return None if subscription is None else store.load_known(tx, subscription, operation_id, since=now - RECENT)


def apply(
    work: Work, known: KnownState, microsoft: MarketplaceState, event: IncomingEvent, closing: Closing
) -> EventResult:
    """Applies the event, if the subscription still has the version that was read. The tenant is locked.

    So Microsoft's state was read after every change that is committed by now.

    Raises:
        Overtaken: the subscription or the event was changed meanwhile; nothing is changed here.
    """
    subscription = subscriptions.read(work.tx, work.tenant.id, known.subscription.id)
    if subscription.version != known.subscription.version:
        raise Overtaken
    handler = _Handler(work, subscription, microsoft, event, closing)
    if known.outcome is Outcome.REFUSED:
        return handler.repeat_refusal()
    if (refusal := rules.check_plan(microsoft) or rules.check_seats(work.tenant, microsoft)) is not None:
        return handler.refuse(refusal)
    if handler.is_second_subscription():
        return handler.defer()
    if microsoft.operation is not None and rules.has_failed(microsoft.operation):
        return handler.discard_superseded()
    return handler.apply_terms(event.operation_id)


def record_ignored(work: Work, known: KnownState, event: IncomingEvent) -> EventResult:
    """Records an event that changes nothing; an unknown action raises an alarm. The tenant is locked."""
    row = Event(event.event_type, event.source, work.now, event.operation_id)
    subscriptions.add_event(work.tx, known.subscription, row, Outcome.IGNORED, now=work.now)
    alarms = () if event.event_type in rules.IGNORED else ("marketplace_event_unknown",)
    return EventResult(work.tenant.public_id, alarms=alarms)


@dataclass(frozen=True, slots=True)
class _Handler:
    """One event of a tenant that is locked."""

    work: Work
    subscription: Subscription
    microsoft: MarketplaceState
    event: IncomingEvent
    closing: Closing

    def is_second_subscription(self) -> bool:
        """Whether the tenant pays for another subscription that this one does not replace, so this one has to wait."""
        if self.subscription.terms.status.is_live or not self.microsoft.terms.status.is_live:
            return False
        return subscriptions.find_other_live(self.work.tx, self.subscription) is not None

    def repeat_refusal(self) -> EventResult:
        """Refuses a repeat again, unless the change is in force in spite of the refusal."""
        operation = self.microsoft.operation
        if operation is None or operation.status != marketplace.SUCCEEDED:
            if operation is not None and operation.action == rules.Action.CHANGE_PLAN:
                return self._result(refused=PlanNotSold(operation.plan_id))
            requested = operation.quantity if operation is not None else self.microsoft.current.quantity
            return self._result(refused=SeatsInUse(self.work.tenant.seats_used, requested or 0))
        result = self.apply_terms(None)
        return replace(result, alarms=("marketplace_refusal_overruled", *result.alarms))

    def refuse(self, refusal: SeatsInUse | PlanNotSold) -> EventResult:
        self._record(Outcome.REFUSED)
        if isinstance(refusal, PlanNotSold):
            before: dict[str, object] = {"subscriptionPlan": self.subscription.terms.plan_id}
            after: dict[str, object] = {"code": PLAN_NOT_SOLD, "subscriptionPlan": refusal.plan_id[:100]}
        else:
            before = {"seatLimit": self.work.tenant.seat_limit, "seatsUsed": refusal.used}
            after = {"code": SEATS_IN_USE, "seatLimit": refusal.requested}
        audit.record(self.work, Action.SUBSCRIPTION_CHANGE_REFUSED, before=before, after=after)
        return self._result(refused=refusal)

    def defer(self) -> EventResult:
        """Leaves the subscription to the daily comparison, which applies it once the other one has ended."""
        if self.event.operation_id is not None:
            self._record(Outcome.IGNORED)
        return self._result(alarms=("marketplace_second_subscription",))

    def discard_superseded(self) -> EventResult:
        """Discards a change that Microsoft gave up, and applies Microsoft's copy."""
        self._record(Outcome.SUPERSEDED)
        return self.apply_terms(None)

    def apply_terms(self, operation_id: uuid.UUID | None) -> EventResult:
        """Puts the subscription on Microsoft's terms; without an operation only if they are new.

        Raises:
            Overtaken: the operation is recorded already.
        """
        event, terms, quote = self._event(operation_id), self.microsoft.terms, self.microsoft.quote
        after = subscriptions.apply_terms(self.subscription, terms, happened_at=event.effective_at, now=self.work.now)
        if operation_id is None and after.terms == self.subscription.terms and (quote is None or quote.price is None):
            return self._result(alarms=() if quote is None else tuple(subscriptions.quote_alarms(quote)))
        change = subscriptions.move(self.work, self.subscription, terms, event, quote=quote)
        if change is None:
            raise Overtaken
        close_ended(self.work, change.ended, self.closing)
        return self._result(changed=True, ended=bool(change.ended), alarms=tuple(self._alarms(change)))

    def _alarms(self, change: SubscriptionChange) -> Iterator[str]:
        if rules.exceeds_seats(self.work.tenant, self.subscription, change.subscription):
            yield "seats_over_limit"
        if self.microsoft.quote is not None:
            yield from subscriptions.quote_alarms(self.microsoft.quote)

    def _result(
        self,
        *,
        changed: bool = False,
        ended: bool = False,
        refused: SeatsInUse | PlanNotSold | None = None,
        alarms: tuple[str, ...] = (),
    ) -> EventResult:
        return EventResult(self.work.tenant.public_id, self.work.tenant.id if ended else None, changed, refused, alarms)

    def _record(self, outcome: Outcome) -> None:
        """Adds the event to the ledger.

        Raises:
            Overtaken: it is there already.
        """
        event = self._event(self.event.operation_id)
        if not subscriptions.add_event(self.work.tx, self.subscription, event, outcome, now=self.work.now):
            raise Overtaken

    def _event(self, operation_id: uuid.UUID | None) -> Event:
        operation = self.microsoft.operation
        happened_at = operation.happened_at if operation is not None else None
        return Event(self.event.event_type, self.event.source, happened_at or self.work.now, operation_id)
