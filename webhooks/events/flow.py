"""Applies an event of the Marketplace: reads our state and Microsoft's, and commits the change.

No transaction is open while Microsoft is asked. If somebody else changed the subscription meanwhile, Microsoft is asked
again, so the last commit is always based on the newest state read from Microsoft.
"""

import contextlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from billing.closing import Closing
from billing.marketplace import MarketplaceError, WebhookEvent
from billing.metering import send_at_once
from billing.subscriptions import Outcome
from shared.app import App
from shared.db.row_level_security import ALL_TENANTS
from shared.deadline import Deadline
from shared.errors import Conflict, Inconclusive
from shared.jobs import job_work
from shared.log import get_logger
from shared.work import Work
from webhooks.events import rules, service
from webhooks.events.lookups import (
    EventRef,
    StateNotAvailable,
    UnknownAction,
    fetch_state,
    find_pending_operation,
)
from webhooks.events.rules import Action, KnownState, MarketplaceState, PlanNotSold, SeatsInUse
from webhooks.events.service import EventResult, IncomingEvent, Overtaken


if TYPE_CHECKING:
    from billing.marketplace import MarketplaceClient


# Microsoft waits 10 seconds: half of them for our calls to Microsoft, half for waiting on a locked row.
SECONDS: Final = 5.0
_ACKNOWLEDGE_SECONDS: Final = 1.5
_ATTEMPTS: Final = 8
_WORD: Final = re.compile(r"\A[A-Za-z]{1,64}\Z")


def receive(app: App, client: "MarketplaceClient", event: WebhookEvent) -> None:
    """Applies an event from the webhook. A return accepts the event.

    Raises:
        Conflict: the change is refused.
        Inconclusive: Microsoft's state is not available now; Microsoft should repeat the event.
    """
    operation_id = uuid.UUID(event.operation_id) if event.operation_id else None
    action = event.action if _WORD.match(event.action) else "Unnamed"
    ref = EventRef(uuid.UUID(event.subscription_id), operation_id, action)
    try:
        result = apply_event(app, client, ref, Deadline.after(SECONDS))
    except (MarketplaceError, StateNotAvailable) as error:
        get_logger().warning("marketplace_event_postponed", reason=error.reason)
        raise Inconclusive(
            "The Marketplace cannot confirm this event now. Nothing was changed; send it again.",
            reason=error.reason,
            code="marketplace_unavailable",
        ) from error
    if result is None:
        if action not in rules.IGNORED:
            get_logger().error("marketplace_subscription_unknown", reason=action, subscription=event.subscription_id)
    elif result.refused is not None:
        raise _conflict(result.refused)


def apply_event(app: App, client: "MarketplaceClient", ref: EventRef, deadline: Deadline) -> EventResult | None:
    """Brings a subscription to Microsoft's present state; returns None for one that was never set up here.

    Raises:
        MarketplaceError, StateNotAvailable: nothing was changed; try again later.
    """
    for _ in range(_ATTEMPTS):
        known = _load_known(app, ref)
        if known is None:
            return None
        if known.outcome not in {None, Outcome.REFUSED}:
            _acknowledge(client, ref, None)
            return EventResult()
        if (operation_id := find_pending_operation(client, ref, deadline)) is not None:
            ref = replace(ref, operation_id=operation_id)
            continue
        try:
            microsoft = _with_plan_check(app, fetch_state(client, known, ref, deadline))
            result = _apply(app, known, microsoft, ref)
        except UnknownAction:
            return _log_alarms(_record_ignored(app, known, ref))
        except Overtaken:
            continue
        _acknowledge(client, ref, microsoft)
        if result.billed is not None:
            send_at_once(app, result.billed)
        return _log_alarms(result)
    raise StateNotAvailable("overtaken")


def _load_known(app: App, ref: EventRef) -> KnownState | None:
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        return service.load_known(tx, ref.marketplace_id, ref.operation_id, now=app.now())


@contextlib.contextmanager
def _locked(app: App, known: KnownState, ref: EventRef) -> Iterator[Work]:
    """A transaction about the subscription's tenant, which is locked, by the actor of the event."""
    with app.transaction() as tx:
        yield job_work(app, tx, known.subscription.tenant_id, app.now(), actor=ref.actor, locks_tenant=True)


def _apply(app: App, known: KnownState, microsoft: MarketplaceState, ref: EventRef) -> EventResult:
    action = ref.action if microsoft.operation is None else microsoft.operation.action
    event = IncomingEvent(action, ref.operation_id, ref.source)
    closing = Closing(app.settings.marketplace_metering_dimension)
    with _locked(app, known, ref) as work:
        return service.apply(work, known, microsoft, event, closing)


def _with_plan_check(app: App, microsoft: MarketplaceState) -> MarketplaceState:
    """Adds whether the new plan is sold here, by Microsoft's data only, since a paid change may depend on it."""
    operation = microsoft.operation
    if operation is None or operation.action != Action.CHANGE_PLAN:
        return microsoft
    is_sold = app.settings.is_sold_here(microsoft.current.offer_id, operation.plan_id)
    return replace(microsoft, is_plan_sold=is_sold)


def _record_ignored(app: App, known: KnownState, ref: EventRef) -> EventResult:
    event = IncomingEvent(ref.action, ref.operation_id, ref.source)
    with _locked(app, known, ref) as work:
        return service.record_ignored(work, known, event)


def _acknowledge(client: "MarketplaceClient", ref: EventRef, microsoft: MarketplaceState | None) -> None:
    """Acknowledges a Reinstate, as one page of Microsoft's documentation wants. Other changes need no answer."""
    operation = None if microsoft is None else microsoft.operation
    waits = ref.action == Action.REINSTATE if operation is None else rules.is_under_way(operation)
    if ref.operation_id is None or not waits or (operation and operation.action != Action.REINSTATE):
        return
    with contextlib.suppress(MarketplaceError):
        ids = str(ref.marketplace_id), str(ref.operation_id)
        client.acknowledge(*ids, Deadline.after(_ACKNOWLEDGE_SECONDS), accepted=True)


def _log_alarms(result: EventResult) -> EventResult:
    for alarm in result.alarms:
        get_logger().error(alarm, tenant=str(result.tenant))
    return result


def _conflict(refused: SeatsInUse | PlanNotSold) -> Conflict:
    if isinstance(refused, PlanNotSold):
        return Conflict(
            "This plan is not one of TimeTracker's. Choose another plan, or ask the publisher for support.",
            code=service.PLAN_NOT_SOLD,
        )
    return _seats_conflict(refused)


def _seats_conflict(seats: SeatsInUse) -> Conflict:
    """A repeat gets the refusal even if the seats suffice by now; then the customer has to request the change again."""
    reason = f"{seats.used} accounts are enabled, more than the {seats.requested} requested seats."
    remedy = "Deactivate accounts first, or keep more seats."
    if seats.used <= seats.requested:
        reason, remedy = "This change was refused before.", "Change the seats once more."
    return Conflict(
        f"{reason} {remedy}",
        code=service.SEATS_IN_USE,
        extra={"seatsUsed": seats.used, "seatsWanted": seats.requested},
    )
