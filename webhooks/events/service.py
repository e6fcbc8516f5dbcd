"""Takes an event of the Marketplace: what it changes, and its row in the ledger, are one transaction."""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.closing import Closing, close_ended
from billing.subscriptions import Event, EventSource, Moved, Outcome, Subscription
from shared import audit
from shared.audit import Action
from shared.tenancy.store import lock_tenant
from shared.work import SERVICE, Actor, NewId, Work
from webhooks.events import rules, store
from webhooks.events.rules import NotSold, SeatsTaken, Seen, Told


SEATS_IN_USE: Final = "seats_in_use"
PLAN_NOT_SOLD: Final = "plan_not_sold"
LATELY: Final = dt.timedelta(minutes=30)  # longer than Microsoft takes to put in force what was accepted


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event, or a look of our own at what Microsoft has: then `operation_id` is None."""

    event_type: str
    operation_id: uuid.UUID | None
    source: EventSource
    actor: Actor = SERVICE


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an event; `alarms` are names of log lines, to be written once it is committed."""

    tenant: uuid.UUID | None = None
    billed: int | None = None  # the tenant whose last month was closed: its usage is to go out at once
    changed: bool = False
    refused: SeatsTaken | NotSold | None = None
    alarms: tuple[str, ...] = ()


def look_up(
    tx: sa.Connection, marketplace_id: uuid.UUID, operation_id: uuid.UUID | None, *, now: dt.datetime
) -> Seen | None:
    """The subscription as it is before Microsoft is asked; None for one that nobody here has bought."""
    subscription = subscriptions.find_bought(tx, marketplace_id)
    return None if subscription is None else store.look_up(tx, subscription, operation_id, since=now - LATELY)


def take(
    tx: sa.Connection,
    seen: Seen,
    told: Told,
    event: Incoming,
    closing: Closing,
    *,
    now: dt.datetime,
    new_id: NewId,
) -> Taken | None:
    """Does what the event asks for; None when somebody was quicker, so that Microsoft must be asked again.

    What is committed was told by Microsoft after everything that had been committed before: the subscription's
    version is the one that was seen before Microsoft was asked, and stays so while its tenant is held.
    """
    tenant = lock_tenant(tx, seen.subscription.tenant_id)
    subscription = subscriptions.read(tx, tenant.id, seen.subscription.id)
    if subscription.version != seen.subscription.version:
        return None
    taking = _Taking(Work(tx, tenant, event.actor, now, new_id), subscription, told, event, closing)
    if seen.outcome is Outcome.REFUSED:
        return taking.repeat_refusal()
    if (refusal := rules.not_sold(told) or rules.seats_taken(tenant, told)) is not None:
        return taking.refuse(refusal)
    if taking.is_second():
        return taking.pass_over()
    if told.operation is not None and rules.has_failed(told.operation):
        return taking.supersede()
    return taking.follow(event.operation_id)


def ignore(tx: sa.Connection, seen: Seen, event: Incoming, *, now: dt.datetime) -> Taken:
    """Keeps an event that changes nothing; one whose action nobody here knows is an alarm."""
    tenant = lock_tenant(tx, seen.subscription.tenant_id)
    kept = Event(event.event_type, event.source, now, event.operation_id)
    subscriptions.add_event(tx, seen.subscription, kept, Outcome.IGNORED, now=now)
    alarms = () if event.event_type in rules.NEEDS_NOTHING else ("marketplace_event_unknown",)
    return Taken(tenant.public_id, alarms=alarms)


@dataclass(frozen=True, slots=True)
class _Taking:
    """One event on its tenant, which is held."""

    work: Work
    subscription: Subscription
    told: Told
    event: Incoming
    closing: Closing

    def is_second(self) -> bool:
        """Whether the tenant pays for something else that this one does not replace, so that it has to wait."""
        if self.subscription.terms.status.is_live or not self.told.terms.status.is_live:
            return False
        return subscriptions.in_the_way(self.work.tx, self.subscription) is not None

    def repeat_refusal(self) -> Taken | None:
        """A repeat is told the same, unless the change is in force although it was refused."""
        operation = self.told.operation
        if operation is None or operation.status != marketplace.SUCCEEDED:
            if operation is not None and operation.action == rules.Action.CHANGE_PLAN:
                return self._answer(refused=NotSold(operation.plan_id))
            wanted = operation.quantity if operation is not None else self.told.present.quantity
            return self._answer(refused=SeatsTaken(self.work.tenant.seats_used, wanted or 0))
        followed = self.follow(None)
        return followed and replace(followed, alarms=("marketplace_refusal_overruled", *followed.alarms))

    def refuse(self, refusal: SeatsTaken | NotSold) -> Taken | None:
        if not self._keep(Outcome.REFUSED):
            return None
        if isinstance(refusal, NotSold):
            before: dict[str, object] = {"subscriptionPlan": self.subscription.terms.plan_id}
            after: dict[str, object] = {"code": PLAN_NOT_SOLD, "subscriptionPlan": refusal.plan_id[:100]}
        else:
            before = {"seatLimit": self.work.tenant.seat_limit, "seatsUsed": refusal.used}
            after = {"code": SEATS_IN_USE, "seatLimit": refusal.wanted}
        audit.record(self.work, Action.SUBSCRIPTION_CHANGE_REFUSED, before=before, after=after)
        return self._answer(refused=refusal)

    def pass_over(self) -> Taken | None:
        """Once the other one has ended, the daily comparison takes this one up."""
        if self.event.operation_id is not None and not self._keep(Outcome.IGNORED):
            return None
        return self._answer(alarms=("marketplace_second_subscription",))

    def supersede(self) -> Taken | None:
        """A change that Microsoft itself has given up: what counts is its copy."""
        return self.follow(None) if self._keep(Outcome.SUPERSEDED) else None

    def follow(self, operation_id: uuid.UUID | None) -> Taken | None:
        """Puts the subscription on the terms told; without an operation, only where they bring something new.

        Returns None when the operation is known.
        """
        event, terms = self._event(operation_id), self.told.terms
        after = subscriptions.moved(self.subscription, terms, happened_at=event.effective_at, now=self.work.now)
        quote = self.told.quote
        if operation_id is None and after.terms == self.subscription.terms and (quote is None or quote.price is None):
            return self._answer(alarms=() if quote is None else tuple(subscriptions.alarms_of(quote)))
        moved = subscriptions.move(self.work, self.subscription, terms, event, quote=quote)
        if moved is None:
            return None
        close_ended(self.work, moved.ended, self.closing)
        return self._answer(changed=True, ended=bool(moved.ended), alarms=tuple(self._alarms(moved)))

    def _alarms(self, moved: Moved) -> Iterator[str]:
        if rules.is_over_limit(self.work.tenant, self.subscription, moved.subscription):
            yield "seats_over_limit"
        if self.told.quote is not None:
            yield from subscriptions.alarms_of(self.told.quote)

    def _answer(
        self,
        *,
        changed: bool = False,
        ended: bool = False,
        refused: SeatsTaken | NotSold | None = None,
        alarms: tuple[str, ...] = (),
    ) -> Taken:
        return Taken(self.work.tenant.public_id, self.work.tenant.id if ended else None, changed, refused, alarms)

    def _keep(self, outcome: Outcome) -> bool:
        event = self._event(self.event.operation_id)
        return subscriptions.add_event(self.work.tx, self.subscription, event, outcome, now=self.work.now)

    def _event(self, operation_id: uuid.UUID | None) -> Event:
        operation = self.told.operation
        happened_at = operation.happened_at if operation is not None else None
        return Event(self.event.event_type, self.event.source, happened_at or self.work.now, operation_id)
