"""Compares the outbox with the meter's list: the daily reconciliation, and the check before usage is rescheduled."""

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from billing.metering import reconcile_store
from billing.metering.flow import meter_of
from billing.metering.model import Alarm
from billing.metering.reconcile_rules import Accepted, Entry, Mismatch, ensure_not_reported, mismatches
from billing.metering.rules import TAKEN_FOR, accepted_among
from billing.metering.store import adopted_units, midnight, other_events
from shared.app import App
from shared.db.row_level_security import ALL_TENANTS
from shared.deadline import Deadline
from shared.jobs import transact
from shared.log import get_logger


if TYPE_CHECKING:
    from billing.marketplace.metering import Meter

_SECONDS: Final = 60.0
_DAYS: Final = 40  # this month's hours and the last month's


def reconcile(app: App) -> list[Mismatch]:
    """Compares the last 40 completed days with the meter's list, and changes nothing.

    Usage of other products is left out. A day is completed when its last hour is too old to be reported.

    Raises:
        MarketplaceError: the meter's list could not be read.
    """
    meter = meter_of(app)
    if meter is None:
        return []
    until = (app.now() - TAKEN_FOR).date() - dt.timedelta(days=1)
    since = until - dt.timedelta(days=_DAYS)
    listing = meter.usage(since, until, Deadline.after(_SECONDS))

    ours = [each for each in listing.days if app.settings.is_sold_here(each.offer_id, each.plan_id)]

    def read(tx: sa.Connection) -> tuple[list[Accepted], dict[uuid.UUID, uuid.UUID]]:
        accepted = reconcile_store.accepted(tx, midnight(since), midnight(until + dt.timedelta(days=1)))
        accepted += reconcile_store.adopted(tx, since, until)
        known = {each.subscription_id for each in accepted}
        foreign = {uuid.UUID(day.subscription_id) for day in ours} - known
        return accepted, reconcile_store.owners(tx, foreign)

    accepted, owners = transact(app, ALL_TENANTS, read, reads_only=True)
    found = mismatches(accepted, ours, owners)
    for each in found:
        tenant = {} if each.tenant is None else {"tenant": str(each.tenant)}
        get_logger().error(Alarm.MISMATCH.value, reason=each.difference.value, **tenant)
    if listing.unreadable:
        get_logger().error(Alarm.MISMATCH.value, reason="unreadable", count=listing.unreadable)
    return found


def ensure_never_reported(app: App, meter: "Meter", entry: Entry) -> None:
    """Checks the meter's list since the event's day: before a restore it may have had another hour.

    Raises:
        RescheduleRefused: the event, or unknown usage, is there.
        MarketplaceError: the meter's list could not be read.
    """
    since, until = entry.event.usage.slot.date(), app.now().date()
    listing = meter.usage(since, until, Deadline.after(_SECONDS))
    with app.transaction(reads_only=True, tenant=entry.event.tenant_id) as tx:
        known = accepted_among(other_events(tx, entry.event, since, until))
        known += adopted_units(tx, entry.event, since, until)
    ensure_not_reported(entry, listing.quantity_of(entry.event.usage, since, until), known)
