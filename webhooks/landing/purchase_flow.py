"""A purchase on its page: looked up as it is now, and confirmed in two transactions with Microsoft told in between.

A crash at any point is made whole by opening the page again, or by the daily comparison.
"""

import contextlib
import time
import uuid
from collections.abc import Callable
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
from webhooks.agreement.service import Decision
from webhooks.events.flow import settle
from webhooks.events.lookups import RECONCILE, NotTold, Question
from webhooks.landing import service as landing_service
from webhooks.landing import visit_store
from webhooks.landing.marketplace_calls import asking, client_of
from webhooks.landing.rules import Found, Scene, scene_of
from webhooks.landing.service import Choices
from webhooks.landing.visit_store import Visit


if TYPE_CHECKING:
    from billing.marketplace import Marketplace


_CONFIRMING_SECONDS: Final = 25.0
_SHOWN_WITHIN: Final = 3.0
_LOOK_AGAIN: Final = 0.4


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent: the choices of a new directory, or what is wrong with them; else agreement, or none."""

    choices: Choices | dict[str, str]
    ends_agreement: bool = False
    declines: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What a page is made of. `plan` is None where the Marketplace does not tell."""

    scene: Scene
    found: Found
    plan: marketplace.Plan | None


def look(app: App, visit: Visit) -> View:
    """The purchase as it is now, by Microsoft and here; nothing is changed."""
    with asking() as deadline:
        bought = client_of(app).get(str(visit.marketplace_id), deadline)
        found = _look_up(app, visit, bought)
        plans = client_of(app).plans(bought.id, deadline)
    plan = next((each for each in plans if each.id == bought.plan_id), None)
    is_activated = visit.is_activated or found.waits_to_begin
    return View(scene_of(found, visit.principal, is_activated=is_activated), found, plan)


def bring_up_to_date(app: App, visit: Visit, bought: marketplace.Subscription | None = None) -> None:
    """Follows what Microsoft has moved on, and puts in force what was confirmed before and is active there now.

    `bought` is Microsoft's copy where it was just read: if that agrees with what is here, nothing more is asked.

    Raises:
        Inconclusive: Microsoft cannot tell now, or the database is held after a restore.
        Conflict: the tenant pays for another one since.
    """
    if bought is not None and not _is_behind(_look_up(app, visit, bought), visit):
        return
    require_not_held(app)
    with asking() as deadline:
        bought = client_of(app).get(str(visit.marketplace_id), deadline)
        found = _look_up(app, visit, bought)
        if found.overtaken:
            _follow(app, found.overtaken, deadline)
            found = _look_up(app, visit, bought)
        plans = client_of(app).plans(bought.id, deadline) if found.waits_to_begin else []
    if found.waits_to_begin:
        put_in_force(app, bought, plans, visit.principal)
    elif _is_over(found, visit):
        _close(app, visit, bought, RequestState.CANCELLED)


def _is_behind(found: Found, visit: Visit) -> bool:
    return bool(found.overtaken) or found.waits_to_begin or _is_over(found, visit)


def _is_over(found: Found, visit: Visit) -> bool:
    """Whether it waits for agreement here, though Microsoft has ended it."""
    return found.request is not None and scene_of(found, visit.principal, is_activated=False) is Scene.ENDED


def confirm(app: App, visit: Visit, form: Form) -> dict[str, str]:
    """Does what the page's form asks for, as far as its sender may; what is wrong with the form, by its fields.

    Confirmed, it sets up what was bought, tells Microsoft, and puts it in force as soon as Microsoft shows it. Done
    again it goes on where it was, and changes nothing where it is done. A buyer who may not agree asks those who may.

    Raises:
        Forbidden, Conflict: as landing_service.prepare says.
        Unavailable: Microsoft could not be asked; what is here stays, and waits.
    """
    client, marketplace_id = client_of(app), str(visit.marketplace_id)
    with asking(_CONFIRMING_SECONDS) as deadline:
        bought = client.get(marketplace_id, deadline)
        found = _look_up(app, visit, bought)
        scene, terms = scene_of(found, visit.principal, is_activated=False), subscriptions.terms_of(bought)
        if scene is Scene.SET_UP and form.declines:
            _close(app, visit, bought, RequestState.DECLINED)
        if scene not in {Scene.SET_UP, Scene.ASK} or terms is None or form.declines:
            return {}
        plans = client.plans(marketplace_id, deadline)
        if subscriptions.lacks_seats(terms, plans):
            raise UnreadableResponse("quantity_unknown")
        if scene is Scene.ASK:
            _ask(app, visit, bought, terms)
            return {}
        if wrong := _wrong_with(found, form):
            return wrong
        _prepare(app, visit, bought, terms, form)
        bought = activated(client, bought, deadline, lambda: _note_activation(app, visit))
    put_in_force(app, bought, plans, visit.principal)
    return {}


def activated(
    client: "Marketplace", bought: marketplace.Subscription, deadline: Deadline, note: Callable[[], None] = lambda: None
) -> marketplace.Subscription:
    """Tells Microsoft that what was agreed to is set up, and waits for a moment until it shows it."""
    if bought.status != marketplace.PENDING:
        return bought
    client.activate(bought.id, bought.plan_id, bought.quantity, deadline)
    note()
    return _shown(client, bought.id, deadline)


def put_in_force(
    app: App,
    bought: marketplace.Subscription,
    plans: list[marketplace.Plan],
    principal: Principal | None = None,
    actor: Actor = SERVICE,
) -> None:
    """Writes down what Microsoft has activated; nothing where it has not."""
    terms = subscriptions.terms_of(bought)
    if terms is None or not terms.status.is_live:
        return
    quote = subscriptions.quote_of(plans, terms)
    with app.transaction(tenant=ALL_TENANTS) as tx:
        begun = landing_service.put_in_force(
            tx,
            uuid.UUID(bought.id),
            terms,
            quote,
            principal,
            settings=app.settings,
            now=app.now(),
            new_id=app.new_id,
            actor=actor,
        )
    if begun is not None:
        for alarm in subscriptions.alarms_of(quote):
            get_logger().error(alarm, tenant=str(begun.public_id))


def _look_up(app: App, visit: Visit, bought: marketplace.Subscription) -> Found:
    with app.transaction(reads_only=True) as tx:
        return landing_service.look_up(tx, visit.principal, bought, now=app.now())


def _wrong_with(found: Found, form: Form) -> dict[str, str]:
    if found.tenant is None and isinstance(form.choices, dict):
        return form.choices
    if found.needs_tick and not form.ends_agreement:
        return {"end_agreement": "Tick the box to end the agreement with the vendor, or decline the purchase."}
    return {}


def _note_activation(app: App, visit: Visit) -> None:
    with app.transaction() as tx:
        visit_store.note_activation(tx, visit.public_id, now=app.now())


def _ask(app: App, visit: Visit, bought: marketplace.Subscription, terms: Terms) -> None:
    with app.transaction() as tx:
        landing_service.ask(tx, visit.principal, bought, terms, settings=app.settings, now=app.now(), new_id=app.new_id)


def _close(app: App, visit: Visit, bought: marketplace.Subscription, state: RequestState) -> None:
    with app.transaction() as tx:
        decision = Decision(SERVICE, app.now(), app.new_id)
        landing_service.close_request(tx, visit.principal, bought, state, decision)


def _follow(app: App, overtaken: list[Subscription], deadline: Deadline) -> None:
    """As the daily comparison would; where Microsoft cannot tell, that is left to it."""
    for each in overtaken:
        assert each.marketplace_id is not None, "an agreement with the vendor is nobody's to overtake"  # noqa: S101 - ours
        question = Question(each.marketplace_id, None, RECONCILE, EventSource.RECONCILE)
        with contextlib.suppress(MarketplaceError, NotTold):
            settle(app, client_of(app), question, deadline)


def _prepare(app: App, visit: Visit, bought: marketplace.Subscription, terms: Terms, form: Form) -> None:
    """Twice, where somebody else was registering the directory just now: the second time there is a tenant."""
    for is_last in (False, True):
        try:
            with app.transaction() as tx:
                landing_service.prepare(
                    tx,
                    visit.principal,
                    bought,
                    terms,
                    None if isinstance(form.choices, dict) else form.choices,
                    ends_agreement=form.ends_agreement,
                    settings=app.settings,
                    now=app.now(),
                    new_id=app.new_id,
                )
        except Conflict as conflict:
            if is_last or conflict.code != "tenant_already_registered":
                raise
        else:
            return


def _shown(client: "Marketplace", marketplace_id: str, deadline: Deadline) -> marketplace.Subscription:
    """Microsoft's copy, waited for a moment, since an activation may take minutes to show."""
    until = time.monotonic() + _SHOWN_WITHIN
    while True:
        bought = client.get(marketplace_id, deadline)
        if bought.status != marketplace.PENDING or time.monotonic() + _LOOK_AGAIN > until:
            return bought
        time.sleep(_LOOK_AGAIN)
