"""Takes an event to its end: sees what is here, asks Microsoft, and commits what it told, or asks again.

Microsoft is asked after our own state was seen and before it is changed, and no transaction is open meanwhile. Where
somebody else changed the subscription in between, what Microsoft told may be older than that, and it is asked again.
So what is committed last was told last, whatever the order, the number and the place of those who take events.
"""

import contextlib
import re
import uuid
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
from shared.log import get_logger
from webhooks.events import rules, service
from webhooks.events.lookups import NotTold, Question, UnknownAction, ask, find_unnamed
from webhooks.events.rules import Action, NotSold, SeatsTaken, Seen, Told
from webhooks.events.service import Incoming, Taken


if TYPE_CHECKING:
    from billing.marketplace import Marketplace


# Microsoft waits for 10 seconds: half for what it is asked itself, half for a database that somebody else holds.
SECONDS: Final = 5.0
_ACKNOWLEDGE_SECONDS: Final = 1.5
_MOST_ROUNDS: Final = 8
_WORD: Final = re.compile(r"\A[A-Za-z]{1,64}\Z")


def receive(app: App, client: "Marketplace", event: WebhookEvent) -> None:
    """Takes an event that the Marketplace calls about; to return is to say 200.

    Raises:
        Conflict: a change that is refused.
        Inconclusive: Microsoft cannot tell now what it is about; the event is to be sent again.
    """
    operation_id = uuid.UUID(event.operation_id) if event.operation_id else None
    action = event.action if _WORD.match(event.action) else "Unnamed"
    question = Question(uuid.UUID(event.subscription_id), operation_id, action)
    try:
        taken = settle(app, client, question, Deadline.after(SECONDS))
    except (MarketplaceError, NotTold) as error:
        get_logger().warning("marketplace_event_postponed", reason=error.reason)
        raise Inconclusive(
            "The Marketplace cannot tell now what this event is about. Nothing was changed; send it again.",
            reason=error.reason,
            code="marketplace_unavailable",
        ) from error
    if taken is None:
        if action not in rules.NEEDS_NOTHING:
            get_logger().error("marketplace_subscription_unknown", reason=action, subscription=event.subscription_id)
    elif taken.refused is not None:
        raise _refusal(taken.refused)


def settle(app: App, client: "Marketplace", question: Question, deadline: Deadline) -> Taken | None:
    """Puts a subscription on what Microsoft has for it now; None for one that nobody here has bought.

    Raises:
        MarketplaceError, NotTold: nothing was changed, and it should be tried again.
    """
    for _ in range(_MOST_ROUNDS):
        seen = _look_up(app, question)
        if seen is None:
            return None
        if seen.outcome not in {None, Outcome.REFUSED}:
            _acknowledge(client, question, None)
            return Taken()
        if (unnamed := find_unnamed(client, question, deadline)) is not None:
            question = replace(question, operation_id=unnamed)
            continue
        try:
            told = _checked(app, ask(client, seen, question, deadline))
        except UnknownAction:
            return _told_of(_ignore(app, seen, question))
        if (taken := _take(app, seen, told, question)) is not None:
            _acknowledge(client, question, told)
            if taken.billed is not None:
                send_at_once(app, taken.billed)
            return _told_of(taken)
    raise NotTold("overtaken")


def _look_up(app: App, question: Question) -> Seen | None:
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        return service.look_up(tx, question.marketplace_id, question.operation_id, now=app.now())


def _take(app: App, seen: Seen, told: Told, question: Question) -> Taken | None:
    action = question.action if told.operation is None else told.operation.action
    event = Incoming(action, question.operation_id, question.source, question.actor)
    with app.transaction() as tx:
        closing = Closing(app.settings.marketplace_metering_dimension)
        return service.take(tx, seen, told, event, closing, now=app.now(), new_id=app.new_id)


def _checked(app: App, told: Told) -> Told:
    """With whether the plan is ours: by Microsoft's copies alone, since a customer's paid change may hang on it."""
    operation = told.operation
    if operation is None or operation.action != Action.CHANGE_PLAN:
        return told
    return replace(told, is_sold=app.settings.is_sold_here(told.present.offer_id, operation.plan_id))


def _ignore(app: App, seen: Seen, question: Question) -> Taken:
    event = Incoming(question.action, question.operation_id, question.source, question.actor)
    with app.transaction() as tx:
        return service.ignore(tx, seen, event, now=app.now())


def _acknowledge(client: "Marketplace", question: Question, told: Told | None) -> None:
    """Tells Microsoft that a Reinstate was heard, as some of its pages want; the others take silence for it."""
    operation = None if told is None else told.operation
    waits = question.action == Action.REINSTATE if operation is None else rules.is_under_way(operation)
    if question.operation_id is None or not waits or (operation and operation.action != Action.REINSTATE):
        return
    with contextlib.suppress(MarketplaceError):
        ids = str(question.marketplace_id), str(question.operation_id)
        client.acknowledge(*ids, Deadline.after(_ACKNOWLEDGE_SECONDS), accepted=True)


def _told_of(taken: Taken) -> Taken:
    for alarm in taken.alarms:
        get_logger().error(alarm, tenant=str(taken.tenant))
    return taken


def _refusal(refused: SeatsTaken | NotSold) -> Conflict:
    if isinstance(refused, NotSold):
        return Conflict(
            "This plan is not one of TimeTracker's. Choose another plan, or ask the publisher for support.",
            code=service.PLAN_NOT_SOLD,
        )
    return _too_few(refused)


def _too_few(seats: SeatsTaken) -> Conflict:
    """Of a repeat the seats may suffice by now; then the change is to be asked for anew."""
    why = f"{seats.used} accounts are enabled, more than the {seats.wanted} seats asked for."
    what = "Deactivate accounts first, or keep more seats."
    if seats.used <= seats.wanted:
        why, what = "This change was refused before.", "Change the seats once more."
    return Conflict(
        f"{why} {what}",
        code=service.SEATS_IN_USE,
        extra={"seatsUsed": seats.used, "seatsWanted": seats.wanted},
    )
