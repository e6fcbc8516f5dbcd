"""A purchase on its page: looked up as it is now, and confirmed in two transactions with Microsoft told in between.

A crash at any point is made whole by opening the page again, or by the daily comparison.
"""

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.app import App
from shared.db.wall import EVERY_TENANT
from shared.errors import Conflict
from shared.log import get_logger
from shared.marketplace import model as told
from shared.marketplace.errors import MarketplaceError, Unreadable
from shared.marketplace.flow import Flow
from shared.subscriptions.model import EventSource, Subscription
from shared.subscriptions.rules import alarms_of, lacks_seats, quote_of, terms_of
from webhooks import service_landing, store_visits
from webhooks.flow_asking import RECONCILE, NotTold, Question
from webhooks.flow_calls import asking, client_of
from webhooks.flow_events import settle
from webhooks.rules_landing import Found, Scene, scene_of
from webhooks.service_landing import Choices
from webhooks.store_visits import Visit


if TYPE_CHECKING:
    from shared.marketplace.client import Marketplace


_CONFIRMING_SECONDS: Final = 25.0
_SHOWN_WITHIN: Final = 3.0
_LOOK_AGAIN: Final = 0.4


@dataclass(frozen=True, slots=True)
class View:
    """What a page is made of. `plan` is None where the Marketplace does not tell."""

    scene: Scene
    found: Found
    plan: told.Plan | None


def look(app: App, visit: Visit) -> View:
    """The purchase as it is now, by Microsoft and here; nothing is changed."""
    with asking() as flow:
        bought = client_of(app).get(str(visit.marketplace_id), flow)
        found = _look_up(app, visit, bought)
        plans = client_of(app).plans(bought.id, flow)
    plan = next((each for each in plans if each.id == bought.plan_id), None)
    is_activated = visit.is_activated or found.waits_to_begin
    return View(scene_of(found, visit.principal, is_activated=is_activated), found, plan)


def bring_up_to_date(app: App, visit: Visit, bought: told.Subscription | None = None) -> None:
    """Follows what Microsoft has moved on, and puts in force what was confirmed before and is active there now.

    `bought` is Microsoft's copy where it was just read: if that agrees with what is here, nothing more is asked.

    Raises:
        Inconclusive: Microsoft cannot tell now.
        Conflict: the tenant pays for another one since.
    """
    if bought is not None and not _is_behind(_look_up(app, visit, bought)):
        return
    with asking() as flow:
        bought = client_of(app).get(str(visit.marketplace_id), flow)
        found = _look_up(app, visit, bought)
        if found.overtaken:
            _follow(app, found.overtaken, flow)
            found = _look_up(app, visit, bought)
        plans = client_of(app).plans(bought.id, flow) if found.waits_to_begin else []
    if found.waits_to_begin:
        _put_in_force(app, visit, bought, plans)


def _is_behind(found: Found) -> bool:
    return bool(found.overtaken) or found.waits_to_begin


def confirm(app: App, visit: Visit, choices: Choices) -> None:
    """Sets up what was bought, tells Microsoft, and puts it in force as soon as Microsoft shows it.

    Done again it goes on where it was, and changes nothing where it is done.

    Raises:
        Forbidden, Conflict: as service_landing.prepare says.
        Unavailable: Microsoft could not be asked; what is here stays, and waits.
    """
    client, marketplace_id = client_of(app), str(visit.marketplace_id)
    with asking(_CONFIRMING_SECONDS) as flow:
        bought = client.get(marketplace_id, flow)
        if scene_of(_look_up(app, visit, bought), visit.principal, is_activated=False) is not Scene.SET_UP:
            return
        plans, terms = client.plans(marketplace_id, flow), terms_of(bought)
        if terms is not None and lacks_seats(terms, plans):
            raise Unreadable("quantity_unknown")
        _prepare(app, visit, bought, choices)
        if bought.status == told.PENDING:
            client.activate(bought.id, bought.plan_id, bought.quantity, flow)
            with app.transaction() as tx:
                store_visits.note_activation(tx, visit.public_id, now=app.now())
            bought = _shown(client, marketplace_id, flow)
    _put_in_force(app, visit, bought, plans)


def _look_up(app: App, visit: Visit, bought: told.Subscription) -> Found:
    with app.transaction(reads_only=True) as tx:
        return service_landing.look_up(tx, visit.principal, bought)


def _follow(app: App, overtaken: list[Subscription], flow: Flow) -> None:
    """As the daily comparison would; where Microsoft cannot tell, that is left to it."""
    for each in overtaken:
        assert each.marketplace_id is not None, "an agreement with the vendor is nobody's to overtake"  # noqa: S101 - ours
        question = Question(each.marketplace_id, None, RECONCILE, EventSource.RECONCILE)
        with contextlib.suppress(MarketplaceError, NotTold):
            settle(app, client_of(app), question, flow)


def _prepare(app: App, visit: Visit, bought: told.Subscription, choices: Choices) -> None:
    """Twice, where somebody else was registering the directory just now: the second time there is a tenant."""
    terms = terms_of(bought)
    assert terms is not None, "a purchase with an unknown status is not to be set up"  # noqa: S101 - ours
    for is_last in (False, True):
        try:
            with app.transaction() as tx:
                service_landing.prepare(
                    tx,
                    visit.principal,
                    bought,
                    terms,
                    choices,
                    settings=app.settings,
                    now=app.now(),
                    new_id=app.new_id,
                )
        except Conflict as conflict:
            if is_last or conflict.code != "tenant_already_registered":
                raise
        else:
            return


def _shown(client: "Marketplace", marketplace_id: str, flow: Flow) -> told.Subscription:
    """Microsoft's copy, waited for a moment, since an activation may take minutes to show."""
    until = time.monotonic() + _SHOWN_WITHIN
    while True:
        bought = client.get(marketplace_id, flow)
        if bought.status != told.PENDING or time.monotonic() + _LOOK_AGAIN > until:
            return bought
        time.sleep(_LOOK_AGAIN)


def _put_in_force(app: App, visit: Visit, bought: told.Subscription, plans: list[told.Plan]) -> None:
    terms = terms_of(bought)
    if terms is None or not terms.status.is_live:
        return
    quote = quote_of(plans, terms)
    with app.transaction(tenant=EVERY_TENANT) as tx:
        begun = service_landing.put_in_force(
            tx,
            visit.principal,
            visit.marketplace_id,
            terms,
            quote,
            settings=app.settings,
            now=app.now(),
            new_id=app.new_id,
        )
    if begun is not None:
        for alarm in alarms_of(quote):
            get_logger().error(alarm, tenant=str(begun.public_id))
