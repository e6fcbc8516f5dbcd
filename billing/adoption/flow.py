"""Adopts usage from the meter's list after a restore: reads the list first, then one transaction per subscription."""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from billing.adoption import service as adoption_service
from billing.adoption import store as adoption_store
from billing.adoption.rules import Adoption, TenantAdoption, listed_by_subscription
from billing.adoption.service import MeterList
from billing.adoption.store import Metered
from billing.closing.service import alarm_more_sent
from billing.metering.flow import meter_of
from billing.metering.model import Alarm
from shared.app import App
from shared.calendar import Month
from shared.db.row_level_security import ALL_TENANTS
from shared.deadline import Deadline
from shared.jobs import job_work, transact
from shared.log import get_logger
from shared.work import OPERATOR


_SECONDS: Final = 60.0
DAYS: Final = 40  # back, as in the reconciliation
_NO_MONTHS: Final[Mapping[dt.date, Month]] = MappingProxyType({})


def adopt_listed(app: App, *, assigned: Mapping[dt.date, Month] = _NO_MONTHS, dry_run: bool = False) -> Adoption:
    """Adopts unknown usage of each metered subscription that is live or ended within 40 days.

    Open events on the meter's list are settled first. A second run changes nothing. `assigned` has a month for days
    (UTC) outside the ended periods; a dry run changes nothing and returns the same.

    Raises:
        MarketplaceError: the meter's list could not be read; nothing was changed.
        NotAdopted: nothing was adopted for the named subscription; earlier ones are done.
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
    found = []
    for each in metered:
        if each.marketplace_id in listed:
            own = MeterList(since, listed[each.marketplace_id], assigned)
            adopt = partial(_adopt, app, now=now, metered=each, listing=own, dry_run=dry_run)
            found.append(transact(app, each.tenant_id, adopt))
    changed = tuple(each for each in found if each.settled or each.adopted or each.fractional)
    result = Adoption(changed, listing.unreadable)
    if not dry_run:
        _alarm(result)
    return result


def _adopt(
    app: App, tx: sa.Connection, *, now: dt.datetime, metered: Metered, listing: MeterList, dry_run: bool
) -> TenantAdoption:
    work = job_work(app, tx, metered.tenant_id, now, actor=OPERATOR, locks_tenant=True)
    adoption = adoption_service.adopt(work, metered, listing)
    if dry_run:
        tx.rollback()
    return adoption


def _alarm(result: Adoption) -> None:
    for each in result.tenants:
        for month in each.overreported:
            alarm_more_sent(each.tenant, sent=month.sent, billed=month.billed)
        if each.fractional:
            get_logger().error(Alarm.MISMATCH.value, reason="no_whole_number", tenant=str(each.tenant))
    if result.unreadable:
        get_logger().error(Alarm.MISMATCH.value, reason="unreadable", count=result.unreadable)
