"""What customers and the publisher do with subscriptions: buy, activate, change, suspend, renew, end."""

import base64
import calendar
import datetime as dt
import secrets
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from devcloud.emulators.entra.people import Person, find_person
from devcloud.emulators.marketplace.catalogue import find_plan
from devcloud.emulators.marketplace.model import Action, Operation, Party, PurchaseToken, Source, Status, Subscription
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.refusal import Refused
from shared import clock


_MONTHS: Final = {"P1M": 1, "P1Y": 12, "P2Y": 24, "P3Y": 36}


class Purchase(BaseModel):
    """Who buys what; a `purchaser` other than the person pays for it, as a reseller does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: str = "ada"
    purchaser: str | None = None
    plan: str = "paid"
    quantity: Annotated[int, Field(ge=0)] | None = None
    name: str | None = None
    term: str = "P1M"
    free_trial: bool = False  # for its first term
    active: bool = False


class Sales:
    """The verbs; `operations` has the state and the lock."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def buy(self, purchase: Purchase) -> Subscription:
        """A new subscription, waiting to be activated unless it was ordered active."""
        beneficiary = _person(purchase.person)
        purchaser = _person(purchase.purchaser) if purchase.purchaser else beneficiary
        plan = find_plan(purchase.plan)
        if not plan.takes(purchase.quantity):
            raise Refused(400, "BadArgument", f"The plan {plan.id} is not sold in that quantity.")
        if purchase.free_trial and not plan.has_free_trial:
            raise Refused(400, "BadArgument", f"The plan {plan.id} has no free trial.")
        bought = Subscription(
            id=str(clock.new_id()),
            name=purchase.name or f"{beneficiary.directory.name} TimeTracker",
            offer_id=plan.offer,
            plan_id=plan.id,
            quantity=purchase.quantity,
            beneficiary=_party(beneficiary),
            purchaser=_party(purchaser),
            term_unit=purchase.term,
            is_free_trial=purchase.free_trial,
            created_at=self._operations.now(),
            resold=purchase.purchaser is not None,
        )
        with self._operations.changing() as state:
            state.subscriptions[bought.id] = bought
            if purchase.active:
                self.activate(bought.id, plan.id, purchase.quantity)
        return bought

    def new_token(self, subscription_id: str, *, expired: bool = False) -> str:
        """Opaque, and always with a plus sign, which a URL must not carry as it is."""
        lasts = dt.timedelta(seconds=-1 if expired else self._operations.pace.purchase_token_seconds)
        token = ""
        while "+" not in token:
            token = base64.b64encode(secrets.token_bytes(148)).decode()
        with self._operations.changing() as state:
            self._operations.subscription(subscription_id)
            state.tokens[token] = PurchaseToken(
                subscription_id=subscription_id, expires_at=self._operations.now() + lasts
            )
        return token

    def resolve(self, token: str | None) -> Subscription:
        if not token:
            raise Refused(400, "HeaderNotPresent", "The header x-ms-marketplace-token is missing.")
        with self._operations.looking() as state:
            known = state.tokens.get(token)
            if known is None or known.expires_at <= self._operations.now():
                raise Refused(400, "BadArgument", "The purchase token is malformed, unknown or expired.")
            return self.shown(known.subscription_id)

    def shown(self, subscription_id: str) -> Subscription:
        """As the publisher sees it: an activation may take its time to show."""
        with self._operations.looking():
            found = self._operations.subscription(subscription_id)
            hidden = found.status == "Subscribed" and self._operations.monotonic() < found.visible_at
            return found.model_copy(update={"status": "PendingFulfillmentStart"} if hidden else {})

    def page(self, after: int) -> tuple[list[Subscription], int | None]:
        """A page of all there are, and where the next one begins."""
        with self._operations.looking() as state:
            end = after + self._operations.shapes.page_size
            ids = list(state.subscriptions)
            return [self.shown(each) for each in ids[after:end]], end if end < len(ids) else None

    def activate(self, subscription_id: str, plan_id: object, quantity: object) -> None:
        with self._operations.changing():
            subscription = self._operations.subscription(subscription_id)
            if subscription.status == "Unsubscribed":
                raise Refused(404, "NotFound", "The subscription was cancelled.")
            if self._operations.shapes.checks_activation:
                _check_activation(subscription, plan_id, quantity)
            if subscription.status == "PendingFulfillmentStart":
                subscription.status = "Subscribed"
                subscription.visible_at = self._operations.monotonic() + self._operations.pace.activation_seconds
                _start_term(subscription, self._operations.now().date())

    def change(self, subscription_id: str, plan_id: str | None, quantity: int | None, source: Source) -> Operation:
        """Begins a change of plan or of seats; it is in force when it has been accepted."""
        with self._operations.changing():
            subscription = self._operations.subscription(subscription_id)
            _need(subscription, "Subscribed")
            _check_allowed(subscription, source)
            if (plan_id is None) == (quantity is None):
                raise Refused(400, "BadArgument", "Give a planId or a quantity, and not both.")
            plan = find_plan(plan_id or subscription.plan_id)
            seats = subscription.quantity if quantity is None else quantity
            if plan.offer != subscription.offer_id or not plan.takes(seats):
                raise Refused(400, "BadArgument", "The offer has no such plan, or the plan not that many seats.")
            if (plan.id, seats) == (subscription.plan_id, subscription.quantity):
                raise Refused(400, "BadArgument", "The new value is the present one.")
            action: Action = "ChangeQuantity" if plan_id is None else "ChangePlan"
            return self._operations.begin(subscription, action, plan.id, seats, source)

    def suspend(self, subscription_id: str) -> Operation:
        with self._operations.changing():
            subscription = self._operations.subscription(subscription_id)
            _need(subscription, "Subscribed")
            subscription.status = "Suspended"
            return self._operations.notice(subscription, "Suspend")

    def reinstate(self, subscription_id: str) -> Operation:
        with self._operations.changing():
            subscription = self._operations.subscription(subscription_id)
            _need(subscription, "Suspended")
            if self._operations.shapes.reinstate_status == "Succeeded":
                subscription.status = "Subscribed"
                return self._operations.notice(subscription, "Reinstate")
            value = (subscription.plan_id, subscription.quantity)
            return self._operations.begin(subscription, "Reinstate", *value, "Azure")

    def renew(self, subscription_id: str) -> Operation:
        with self._operations.changing():
            subscription = self._operations.subscription(subscription_id)
            _need(subscription, "Subscribed")
            ended = subscription.ends_on or self._operations.now().date()
            subscription.is_free_trial = False
            _start_term(subscription, ended + dt.timedelta(days=1))
            return self._operations.notice(subscription, "Renew")

    def unsubscribe(self, subscription_id: str, source: Source) -> Operation | None:
        """Ends it for good; a customer who never activated it leaves without an event."""
        with self._operations.changing():
            subscription = self._operations.subscription(subscription_id)
            if subscription.status == "Unsubscribed":
                raise Refused(404, "NotFound", "The subscription was cancelled before.")
            _check_allowed(subscription, source)
            for operation in self._operations.outstanding(subscription_id):
                operation.status = "Failed"
            silent = subscription.status == "PendingFulfillmentStart" and source == "Azure"
            subscription.status, subscription.cancelled_at = "Unsubscribed", self._operations.now()
            return None if silent else self._operations.notice(subscription, "Unsubscribe", source)


def _person(name: str) -> Person:
    found = find_person(name)
    if found is None:
        raise Refused(400, "BadArgument", f"Nobody is called {name!r}.")
    return found


def _party(person: Person) -> Party:
    return Party(email=person.email, oid=person.oid, tid=person.directory.tid)


def _need(subscription: Subscription, status: Status) -> None:
    if subscription.status != status:
        raise Refused(400, "BadArgument", f"The subscription is {subscription.status}, and would have to be {status}.")


def _check_allowed(subscription: Subscription, source: Source) -> None:
    if source == "Partner" and subscription.resold:
        raise Refused(400, "BadArgument", "The publisher may only read what a reseller sold.")


def _check_activation(subscription: Subscription, plan_id: object, quantity: object) -> None:
    """The quantity of a plan by seats must be that of the purchase, as a number or in digits."""
    if subscription.status != "PendingFulfillmentStart":
        raise Refused(400, "BadArgument", f"The subscription is {subscription.status} already.")
    wanted = "" if subscription.quantity is None else str(subscription.quantity)
    if plan_id != subscription.plan_id or (wanted and str(quantity) != wanted):
        raise Refused(400, "BadArgument", "The plan or the quantity is not the one that was bought.")


def _start_term(subscription: Subscription, begins: dt.date) -> None:
    """The last day of a term is still part of it. A month that lacks the day has the next term begin on its last."""
    months = begins.month - 1 + _MONTHS.get(subscription.term_unit, 1)
    year, month = begins.year + months // 12, months % 12 + 1
    following = dt.date(year, month, min(begins.day, calendar.monthrange(year, month)[1]))
    subscription.starts_on, subscription.ends_on = begins, following - dt.timedelta(days=1)
