"""Shows a purchase as it is now, and confirms it in two transactions with Microsoft's activation in between.

After a crash at any point, opening the page again or the daily comparison completes the confirmation.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from billing import marketplace, subscriptions
from billing.marketplace import MarketplaceError, UnreadableResponse
from billing.subscriptions import EventSource, Subscription, Terms
from shared.app import App
from shared.auth.tokens import Principal
from shared.db.row_level_security import ALL_TENANTS
from shared.deadline import Deadline
from shared.errors import Conflict
from shared.log import get_logger
from shared.restore.flow import require_not_held
from shared.work import SERVICE, Actor
from webhooks.agreement.rules import RequestState
from webhooks.events.flow import apply_event
from webhooks.events.lookups import RECONCILE, EventRef, StateNotAvailable
from webhooks.landing import service as landing_service
from webhooks.landing import visit_store
from webhooks.landing.marketplace_calls import marketplace_call, require_client
from webhooks.landing.rules import PageState, PurchaseContext, page_state
from webhooks.landing.schemas import FormErrors
from webhooks.landing.service import Choices, PurchaseTransaction
from webhooks.landing.visit_store import Visit


if TYPE_CHECKING:
    from billing.marketplace import MarketplaceClient


_CONFIRMATION_SECONDS: Final = 25.0
_ACTIVATION_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.4


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was sent. `choices` are those for a new directory, or their errors."""

    choices: Choices | FormErrors
    ends_agreement: bool = False
    declines: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """The data of a page. `plan` is None where the Marketplace does not list it."""

    state: PageState
    purchase: PurchaseContext
    plan: marketplace.Plan | None
    now: dt.datetime


def load_view(app: App, visit: Visit) -> View:
    """Reads the purchase from Microsoft and from our database. Changes nothing."""
    with marketplace_call() as deadline:
        bought = require_client(app).get(str(visit.marketplace_id), deadline)
        purchase = _load_context(app, visit, bought)
        plans = require_client(app).plans(bought.id, deadline)
    plan = next((each for each in plans if each.id == bought.plan_id), None)
    is_activated = visit.is_activated or purchase.is_activation_unrecorded
    return View(page_state(purchase, visit.principal, is_activated=is_activated), purchase, plan, app.now())


def refresh(app: App, visit: Visit, bought: marketplace.Subscription | None = None) -> None:
    """Applies Microsoft's changes to the purchase, and completes a confirmed one that is active at Microsoft.

    `bought` is Microsoft's copy where it was just read. If our rows agree with it, nothing more is read.

    Raises:
        Inconclusive: Microsoft is not available, or the database is held after a restore.
        Conflict: the tenant pays for another subscription by now.
    """
    if bought is not None and not _is_behind(_load_context(app, visit, bought), visit):
        return
    require_not_held(app)
    with marketplace_call() as deadline:
        bought = require_client(app).get(str(visit.marketplace_id), deadline)
        purchase = _load_context(app, visit, bought)
        if purchase.stale_subscriptions:
            _reconcile(app, purchase.stale_subscriptions, deadline)
            purchase = _load_context(app, visit, bought)
        plans = require_client(app).plans(bought.id, deadline) if purchase.is_activation_unrecorded else []
    if purchase.is_activation_unrecorded:
        record_activation(app, bought, plans, visit.principal)
    elif _has_ended(purchase, visit):
        _close_request(app, visit, bought, RequestState.CANCELLED)


def confirm(app: App, visit: Visit, form: Form) -> FormErrors:
    """Processes the form of the page; returns its errors by field.

    Confirming sets the purchase up, activates it at Microsoft, and records the activation as soon as Microsoft shows
    it. A repeat continues after the last completed step. A buyer without the right to agree asks the approvers.

    Raises:
        Forbidden, Conflict: as landing_service.prepare.
        Unavailable: Microsoft did not answer; completed steps stay.
    """
    client, marketplace_id = require_client(app), str(visit.marketplace_id)
    with marketplace_call(_CONFIRMATION_SECONDS) as deadline:
        bought = client.get(marketplace_id, deadline)
        purchase = _load_context(app, visit, bought)
        state, terms = page_state(purchase, visit.principal, is_activated=False), subscriptions.terms_of(bought)
        if state is PageState.SET_UP and form.declines:
            _close_request(app, visit, bought, RequestState.DECLINED)
        if state not in {PageState.SET_UP, PageState.REQUEST_AGREEMENT} or terms is None or form.declines:
            return {}
        plans = client.plans(marketplace_id, deadline)
        if subscriptions.lacks_seats(terms, plans):
            raise UnreadableResponse("quantity_unknown")
        if state is PageState.REQUEST_AGREEMENT:
            _request_agreement(app, visit, bought, terms)
            return {}
        if errors := _form_errors(purchase, form):
            return errors
        _prepare(app, visit, bought, terms, form)
        bought = activate(client, bought, deadline, lambda: _mark_activated(app, visit))
    record_activation(app, bought, plans, visit.principal)
    return {}


def activate(
    client: "MarketplaceClient",
    bought: marketplace.Subscription,
    deadline: Deadline,
    on_success: Callable[[], None] = lambda: None,
) -> marketplace.Subscription:
    """Activates a purchase at Microsoft and waits a moment until Microsoft shows it; returns the newest copy."""
    if bought.status != marketplace.PENDING:
        return bought
    client.activate(bought.id, bought.plan_id, bought.quantity, deadline)
    on_success()
    return _wait_until_active(client, bought.id, deadline)


def record_activation(
    app: App,
    bought: marketplace.Subscription,
    plans: list[marketplace.Plan],
    principal: Principal | None = None,
    actor: Actor = SERVICE,
) -> None:
    """Records the activation that Microsoft shows; does nothing if it shows none."""
    terms = subscriptions.terms_of(bought)
    if terms is None or not terms.status.is_live:
        return
    quote = subscriptions.quote_of(plans, terms)
    with _transaction(app, bought, tenant=ALL_TENANTS) as purchase:
        tenant = landing_service.record_activation(purchase, terms, quote, principal, actor=actor)
    if tenant is not None:
        for alarm in subscriptions.quote_alarms(quote):
            get_logger().error(alarm, tenant=str(tenant.public_id))


@contextlib.contextmanager
def _transaction(
    app: App, bought: marketplace.Subscription, *, reads_only: bool = False, tenant: int | None = None
) -> Iterator[PurchaseTransaction]:
    with app.transaction(reads_only=reads_only, tenant=tenant) as tx:
        yield PurchaseTransaction(tx, bought, app.settings, app.now(), app.new_id)


def _is_behind(purchase: PurchaseContext, visit: Visit) -> bool:
    """Whether Microsoft has something newer than our database."""
    has_activation = purchase.is_activation_unrecorded
    return bool(purchase.stale_subscriptions) or has_activation or _has_ended(purchase, visit)


def _has_ended(purchase: PurchaseContext, visit: Visit) -> bool:
    """Whether a request waits here for a purchase that Microsoft has ended."""
    state = page_state(purchase, visit.principal, is_activated=False)
    return purchase.request is not None and state is PageState.ENDED


def _load_context(app: App, visit: Visit, bought: marketplace.Subscription) -> PurchaseContext:
    with _transaction(app, bought, reads_only=True) as purchase:
        return landing_service.load_context(purchase, visit.principal)


def _form_errors(purchase: PurchaseContext, form: Form) -> FormErrors:
    if purchase.tenant is None and not isinstance(form.choices, Choices):
        return form.choices
    if purchase.ends_agreement and not form.ends_agreement:
        return {"endAgreement": "Tick the box to end the agreement with the vendor. Otherwise nothing is activated."}
    return {}


def _mark_activated(app: App, visit: Visit) -> None:
    with app.transaction() as tx:
        visit_store.mark_activated(tx, visit.public_id, now=app.now())


def _request_agreement(app: App, visit: Visit, bought: marketplace.Subscription, terms: Terms) -> None:
    with _transaction(app, bought) as purchase:
        landing_service.request_agreement(purchase, visit.principal, terms)


def _close_request(app: App, visit: Visit, bought: marketplace.Subscription, state: RequestState) -> None:
    with _transaction(app, bought) as purchase:
        landing_service.close_request(purchase, visit.principal, state)


def _reconcile(app: App, stale: list[Subscription], deadline: Deadline) -> None:
    """As the daily comparison, which also follows up where Microsoft does not answer now."""
    for each in stale:
        assert each.marketplace_id is not None, "only purchases are stale"  # noqa: S101 - an invariant of ours
        event = EventRef(each.marketplace_id, None, RECONCILE, EventSource.RECONCILE)
        with contextlib.suppress(MarketplaceError, StateNotAvailable):
            apply_event(app, require_client(app), event, deadline)


def _prepare(app: App, visit: Visit, bought: marketplace.Subscription, terms: Terms, form: Form) -> None:
    """A second attempt follows if somebody else registered the directory meanwhile; then there is a tenant."""
    choices = form.choices if isinstance(form.choices, Choices) else None
    for is_last in (False, True):
        try:
            with _transaction(app, bought) as purchase:
                landing_service.prepare(purchase, visit.principal, terms, choices, ends_agreement=form.ends_agreement)
        except Conflict as conflict:
            if is_last or conflict.code != "tenant_already_registered":
                raise
        else:
            return


def _wait_until_active(
    client: "MarketplaceClient", marketplace_id: str, deadline: Deadline
) -> marketplace.Subscription:
    """Reads Microsoft's copy until it is active or a moment has passed, since an activation may take minutes."""
    until = time.monotonic() + _ACTIVATION_SECONDS
    while True:
        bought = client.get(marketplace_id, deadline)
        if bought.status != marketplace.PENDING or time.monotonic() + _POLL_SECONDS > until:
            return bought
        time.sleep(_POLL_SECONDS)
