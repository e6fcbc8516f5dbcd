"""Adopts what the meter lists after a backup was restored: asks first, then one transaction for each subscription."""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from billing.adoption import service as adoption_service
from billing.adoption import store as adoption_store
from billing.adoption.rules import Adoption, DayKey, Listed, TenantAdoption, listed_by_subscription
from billing.adoption.service import Adopting
from billing.adoption.store import Metered
from billing.closing.service import alarm_more_sent
from billing.metering.flow import meter_of
from billing.metering.model import Alarm
from shared.app import App
from shared.calendar import Month
from shared.db.row_level_security import ALL_TENANTS
from shared.deadline import Deadline
from shared.jobs import transact
from shared.log import get_logger


_SECONDS: Final = 60.0
DAYS: Final = 40  # back, as the comparison looks
_NO_MONTHS: Final[Mapping[dt.date, Month]] = MappingProxyType({})


def adopt_listed(app: App, *, assigned: Mapping[dt.date, Month] = _NO_MONTHS, dry_run: bool = False) -> Adoption:
    """Adopts for each metered subscription, live or ended within 40 days, what the meter has and nothing here is of.

    Open events that the meter lists are settled first. To do it again changes nothing. `assigned` gives days (UTC) that
    fit no ended period a month whose bill they count for; a dry run changes nothing and tells the same.

    Raises:
        MarketplaceError: the meter's list could not be had; nothing was changed.
        NotAdopted: of the subscription that it names nothing was adopted; the ones before it are done.
    """
    meter = meter_of(app)
    if meter is None:
        return Adoption()
    now = app.now()
    since = now.date() - dt.timedelta(days=DAYS)
    ended_since = now - dt.timedelta(days=DAYS)
    metered = transact(app, ALL_TENANTS, lambda tx: adoption_store.metered(tx, ended_since), reads_only=True)
    listing = meter.usage(since, now.date(), Deadline.after(_SECONDS))
    listed = listed_by_subscription(listing.days)
    adopting = Adopting(since, now, app.new_id, assigned)
    found = []
    for each in metered:
        if each.marketplace_id in listed:
            work = partial(_adopt, of=each, listed=listed[each.marketplace_id], adopting=adopting, dry_run=dry_run)
            found.append(transact(app, each.tenant_id, work))
    result = Adoption(tuple(each for each in found if each.settled or each.adopted or each.odd), listing.unreadable)
    if not dry_run:
        _alarm(result)
    return result


def _adopt(
    tx: sa.Connection, *, of: Metered, listed: Mapping[DayKey, Listed], adopting: Adopting, dry_run: bool
) -> TenantAdoption:
    done = adoption_service.adopt(tx, of, listed, adopting)
    if dry_run:
        tx.rollback()
    return done


def _alarm(result: Adoption) -> None:
    for each in result.tenants:
        for over in each.over:
            alarm_more_sent(each.tenant, sent=over.sent, billed=over.billed)
        if each.odd:
            get_logger().error(Alarm.MISMATCH.value, reason="no_whole_number", tenant=str(each.tenant))
    if result.unreadable:
        get_logger().error(Alarm.MISMATCH.value, reason="unreadable", count=result.unreadable)
