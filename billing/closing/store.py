"""Reads the data of bills: subscriptions with their billed periods, rates, sign-ins and time."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.closing import rules
from billing.closing.model import Activity, BilledThrough, Candidate, Kind, LastEvent, Period, Reason, State, Zones
from billing.subscriptions.ledger_store import rate_of
from billing.subscriptions.model import Outcome, Rate, Subscription
from billing.subscriptions.store import subscription_of
from shared.calendar import Month
from shared.db.schema import (
    adopted_usage,
    billing_lines,
    billing_records,
    closed_months,
    running_timers,
    subscription_events,
    subscription_rates,
    subscriptions,
    tenant_zones,
    tenants,
    time_entries,
    time_entry_days,
    user_months,
    users,
)
from shared.tenancy.model import Plan, Tenant


_s, _r, _d, _e, _l, _m, _u = (
    subscriptions.c,
    billing_records.c,
    time_entry_days.c,
    time_entries.c,
    billing_lines.c,
    user_months.c,
    users.c,
)
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_MONTH: Final = bindparam("month", type_=sa.Integer)
_MONTHS = (bindparam("before", type_=sa.Integer), _MONTH, bindparam("after", type_=sa.Integer))
_FROM, _TO = (bindparam(name, type_=_r.period_from.type) for name in ("starts_at", "ends_at"))
_NEWEST = billing_records.alias("newest").c
_BILLED = (_NEWEST.tenant_id == _s.tenant_id, _NEWEST.subscription_id == _s.id)


def _exists(*where: sa.ColumnElement[bool]) -> sa.Case[int]:
    """As a number: SQL Server selects no truth values."""
    return sa.case((sa.exists().where(*where), 1), else_=0)


_LAST_MONTH = sa.select(sa.func.max(_NEWEST.month_key)).where(*_BILLED).scalar_subquery().label("last_month")
_BILLED_TO = sa.select(sa.func.max(_NEWEST.period_to)).where(*_BILLED).scalar_subquery().label("billed_to")
_MARKED = (
    sa.select(sa.func.max(closed_months.c.month_key))
    .where(closed_months.c.tenant_id == tenants.c.id)
    .scalar_subquery()
    .label("marked")
)
_HAS_EARLIER_ZONES = _exists(tenant_zones.c.tenant_id == _s.tenant_id).label("has_earlier_zones")
_HAS_ADOPTED = _exists(
    adopted_usage.c.tenant_id == _s.tenant_id, adopted_usage.c.marketplace_id == _s.marketplace_id
).label("has_adopted")
_LACKS_PRICE = _exists(*_BILLED, _NEWEST.rate_per_user.is_(None), _NEWEST.state == State.CLOSED.value).label(
    "lacks_price"
)

# All subscriptions that were ever paid; the time zone decides which months are due.
_ALL_BILLED_THROUGH: Final[sa.Select[Any]] = (
    sa.select(subscriptions, tenants.c.time_zone, tenants.c.plan_kind, _LAST_MONTH, _BILLED_TO, _MARKED)
    .join(tenants, tenants.c.id == _s.tenant_id)
    .where(_s.paid_from.is_not(None))
    .order_by(_s.tenant_id, _s.id)
)
_BILLED_THROUGH_OF: Final[sa.Select[Any]] = (
    sa.select(subscriptions, _LAST_MONTH, _BILLED_TO, _HAS_EARLIER_ZONES, _LACKS_PRICE, _HAS_ADOPTED)
    .where(_s.tenant_id == _TENANT, _s.paid_from.is_not(None))
    .order_by(_s.id)
)
_UNBILLED: Final = (
    sa.select(_s.id)
    .where(
        _s.tenant_id == _TENANT,
        _s.paid_from.is_not(None),
        ~sa.exists().where(
            _r.tenant_id == _TENANT,
            _r.subscription_id == _s.id,
            _r.kind == Kind.FINAL.value,
            _r.state == State.CLOSED.value,
        ),
    )
    .limit(1)
)
_z: Final = tenant_zones.c
_ZONES: Final[sa.Select[Any]] = sa.select(_z.tenant_id, _z.until_at, _z.time_zone).order_by(_z.tenant_id, _z.until_at)
_ZONES_OF: Final = _ZONES.where(_z.tenant_id == _TENANT)
_RATES: Final[sa.Select[Any]] = sa.select(subscription_rates).where(
    subscription_rates.c.tenant_id == _TENANT, subscription_rates.c.subscription_id == bindparam("subscription")
)
_LAST_EVENT: Final[sa.Select[Any]] = (
    sa.select(subscription_events.c.event_type, subscription_events.c.operation_id)
    .where(
        subscription_events.c.tenant_id == _TENANT,
        subscription_events.c.subscription_id == bindparam("subscription"),
        subscription_events.c.outcome == Outcome.APPLIED.value,
    )
    .order_by(subscription_events.c.id.desc())
    .limit(1)
)


def _on_a_bill(month: sa.ColumnElement[int], user: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Whether a user is on a bill of a month; also through an invitation that was merged into the account."""
    lines, merged = billing_lines.alias("billed").c, users.alias("merged").c
    of_month = (lines.tenant_id == _TENANT, lines.activity_month == month, lines.is_void == sa.false())
    as_invitation = (merged.tenant_id == _TENANT, merged.merged_into == user, merged.id == lines.user_id)
    return sa.or_(sa.exists().where(*of_month, lines.user_id == user), sa.exists().where(*of_month, *as_invitation))


# Rows have the month of the time zone at the sign-in, so the neighboring months are read, too.
_SIGNED_IN: Final[sa.Select[Any]] = (
    sa.select(
        _m.user_id,
        _u.email,
        _u.display_name,
        _m.first_sign_in_at.label("first_at"),
        _m.last_sign_in_at.label("last_at"),
        _m.first_paid_sign_in_at,
        _m.last_paid_sign_in_at,
    )
    .join(users, sa.and_(_u.tenant_id == _m.tenant_id, _u.id == _m.user_id))
    .where(
        _m.month_key.in_(_MONTHS),
        _m.tenant_id == _TENANT,
        sa.or_(
            *(
                sa.and_(at >= _FROM, at < _TO)
                for at in (
                    _m.first_sign_in_at,
                    _m.last_sign_in_at,
                    _m.first_paid_sign_in_at,
                    _m.last_paid_sign_in_at,
                )
            )
        ),
        ~_on_a_bill(_MONTH, _m.user_id),
    )
)
# An entry counts in the period it overlaps. That is its month, except in a subscription's first and last period and
# after a change of the time zone.
_TIME = (_d.tenant_id == _TENANT, _d.elapsed_ms > 0)
_PERSON = (_d.user_id, _u.email, _u.display_name)
_FIRST_AND_LAST = (sa.func.min(_e.started_at).label("first_at"), sa.func.max(_e.stopped_at).label("last_at"))
_OF_DAY = time_entry_days.join(time_entries, sa.and_(_e.tenant_id == _d.tenant_id, _e.id == _d.entry_id)).join(
    users, sa.and_(_u.tenant_id == _d.tenant_id, _u.id == _d.user_id)
)
_WORKED: Final[sa.Select[Any]] = (
    sa.select(*_PERSON, *_FIRST_AND_LAST)
    .select_from(_OF_DAY)
    .where(
        *_TIME,
        _d.month_key.in_(_MONTHS),
        _e.stopped_at > _FROM,
        _e.started_at < _TO,
        ~_on_a_bill(_MONTH, _d.user_id),
    )
    .group_by(*_PERSON)
)
_t: Final = running_timers.c
_RUNNING: Final[sa.Select[Any]] = (
    sa.select(_t.user_id, _u.email, _u.display_name, _t.started_at.label("first_at"), _t.started_at.label("last_at"))
    .join(users, sa.and_(_u.tenant_id == _t.tenant_id, _u.id == _t.user_id))
    .where(_t.tenant_id == _TENANT, _t.started_at < _TO, ~_on_a_bill(_MONTH, _t.user_id))
)
# Number of users on a subscription's bills for a month.
_BILLED_USERS: Final[sa.Select[Any]] = (
    sa.select(_l.activity_month, sa.func.count().label("users"))
    .join(billing_records, sa.and_(_r.tenant_id == _l.tenant_id, _r.id == _l.record_id))
    .where(
        _l.tenant_id == _TENANT,
        _l.is_void == sa.false(),
        _l.activity_month.in_(bindparam("months", expanding=True)),
        _r.subscription_id == bindparam("subscription", type_=sa.BigInteger),
    )
    .group_by(_l.activity_month)
)
# Start of the period of a subscription's own bill for a month.
_PERIOD_STARTS: Final[sa.Select[Any]] = sa.select(_r.month_key, _r.period_from).where(
    _r.tenant_id == _TENANT,
    _r.month_key.in_(bindparam("months", expanding=True)),
    _r.subscription_id == bindparam("subscription", type_=sa.BigInteger),
    _r.state == State.CLOSED.value,
)
_CLOSED_EARLIER = (
    _r.tenant_id == _d.tenant_id,
    _r.month_key == _d.month_key,
    _r.subscription_id == bindparam("subscription", type_=sa.BigInteger),
    _r.state == State.CLOSED.value,
)
_SINCE = (_d.month_key >= bindparam("first", type_=sa.Integer), _d.month_key < _MONTH)
_ANY_LATE: Final[sa.Select[Any]] = (
    sa.select(_d.user_id)
    .where(
        _d.tenant_id == _TENANT,
        *_SINCE,
        _d.elapsed_ms > 0,
        ~_on_a_bill(_d.month_key, _d.user_id),
        sa.exists().where(*_CLOSED_EARLIER),
    )
    .limit(1)
)
_LATE: Final[sa.Select[Any]] = (
    sa.select(_d.month_key, *_PERSON, *_FIRST_AND_LAST, _r.period_from, _r.period_to)
    .select_from(_OF_DAY.join(billing_records, sa.and_(*_CLOSED_EARLIER)))
    .where(
        *_TIME,
        *_SINCE,
        _e.stopped_at > _r.period_from,
        _e.started_at < _r.period_to,
        ~_on_a_bill(_d.month_key, _d.user_id),
    )
    .group_by(_d.month_key, *_PERSON, _r.period_from, _r.period_to)
)
# After a change of the time zone, a day's month may differ by one from the month of its period.
_DATED = _d.month_key
_BESIDE_DATED = (
    _DATED,
    sa.case((_DATED % 100 == 1, _DATED - 89), else_=_DATED - 1),
    sa.case((_DATED % 100 == 12, _DATED + 89), else_=_DATED + 1),  # noqa: PLR2004 - December
)
_LATE_BESIDE: Final[sa.Select[Any]] = (
    sa.select(_r.month_key, *_PERSON, *_FIRST_AND_LAST, _r.period_from, _r.period_to)
    .select_from(
        _OF_DAY.join(
            billing_records,
            sa.and_(
                _r.tenant_id == _d.tenant_id,
                _r.subscription_id == bindparam("subscription", type_=sa.BigInteger),
                _r.state == State.CLOSED.value,
                _r.month_key < _MONTH,
                _r.month_key.in_(_BESIDE_DATED),
            ),
        )
    )
    .where(
        *_TIME,
        _d.month_key >= bindparam("first", type_=sa.Integer),
        _d.month_key <= bindparam("after", type_=sa.Integer),
        _e.stopped_at > _r.period_from,
        _e.started_at < _r.period_to,
        ~_on_a_bill(_r.month_key, _d.user_id),
    )
    .group_by(_r.month_key, *_PERSON, _r.period_from, _r.period_to)
)


def candidates(tx: sa.Connection) -> list[Candidate]:
    """All subscriptions that were ever paid."""
    earlier: defaultdict[int, list[tuple[dt.datetime, str]]] = defaultdict(list)
    for tenant_id, until_at, zone in tx.execute(_ZONES):
        earlier[tenant_id].append((until_at, zone))
    return [
        Candidate(
            _billed_through(row),
            rules.zones_of(row.time_zone, earlier.get(row.tenant_id, ())),
            row.plan_kind != Plan.INTERNAL.value,
            None if row.marked is None else Month.from_key(row.marked),
        )
        for row in tx.execute(_ALL_BILLED_THROUGH)
    ]


def zones(tx: sa.Connection, tenant: Tenant, *, has_earlier: bool = True) -> Zones:
    """The tenant's time zones; earlier ones are read only if there may be any."""
    rows = tx.execute(_ZONES_OF, {"tenant": tenant.id}) if has_earlier else ()
    return Zones(tenant.zone, tuple((row.until_at, ZoneInfo(row.time_zone)) for row in rows))


def billed_through(tx: sa.Connection, tenant_id: int) -> list[BilledThrough]:
    """The paid subscriptions of a tenant, oldest first."""
    return [
        replace(
            _billed_through(row),
            has_earlier_zones=bool(row.has_earlier_zones),
            lacks_price=bool(row.lacks_price),
            has_adopted=bool(row.has_adopted),
        )
        for row in tx.execute(_BILLED_THROUGH_OF, {"tenant": tenant_id})
    ]


def has_unbilled(tx: sa.Connection, tenant_id: int) -> bool:
    """Whether a tenant has paid for a subscription that has no final bill."""
    return tx.execute(_UNBILLED, {"tenant": tenant_id}).first() is not None


def rates(tx: sa.Connection, subscription: Subscription) -> list[Rate]:
    rows = tx.execute(_RATES, {"tenant": subscription.tenant_id, "subscription": subscription.id})
    return [rate_of(row) for row in rows]


def last_event(tx: sa.Connection, subscription: Subscription) -> LastEvent | None:
    row = tx.execute(_LAST_EVENT, {"tenant": subscription.tenant_id, "subscription": subscription.id}).first()
    return None if row is None else LastEvent(row.event_type, row.operation_id)


def sign_ins(tx: sa.Connection, tenant_id: int, period: Period) -> list[Activity]:
    """Sign-ins in the period, of users not yet billed for its month."""
    rows = tx.execute(_SIGNED_IN, _period_parameters(tenant_id, period))
    return [
        rules.sign_in_activity(
            _activity(row, period.month, Reason.SIGN_IN), period, (row.first_paid_sign_in_at, row.last_paid_sign_in_at)
        )
        for row in rows
    ]


def work(tx: sa.Connection, subscription: Subscription, period: Period) -> list[Activity]:
    """Time in the period, of users not yet billed for its month."""
    rows = tx.execute(_WORKED, _period_parameters(subscription.tenant_id, period))
    found = (_activity(row, period.month, Reason.TIME) for row in rows)
    return [rules.clip_to_period(each, period.starts_at, period.ends_at) for each in found]


def running_timers_in(tx: sa.Connection, tenant: Tenant, period: Period, now: dt.datetime) -> list[Activity]:
    """Timers running in the period, up to their limit, of users not yet billed for its month.

    Read before the entries, so that a timer stopped in between is found among them.
    """
    limit = dt.timedelta(milliseconds=tenant.forgotten_timer_limit_ms)
    key = {"tenant": tenant.id, "month": period.month.key, "ends_at": period.ends_at}
    found = [_activity(row, period.month, Reason.TIME) for row in tx.execute(_RUNNING, key)]
    ran = (rules.timer_activity(each, period, limit=limit, now=now) for each in found)
    return [each for each in ran if each is not None]


def billed_users_before(
    tx: sa.Connection, subscription: Subscription, months: Collection[Month], rates: Sequence[Rate]
) -> dict[Month, tuple[int, int]]:
    """The billed users and the included users of a subscription's closed months."""
    key = {"tenant": subscription.tenant_id, "subscription": subscription.id, "months": [month.key for month in months]}
    billed = {row.activity_month: row.users for row in tx.execute(_BILLED_USERS, key)}
    found: dict[Month, tuple[int, int]] = {}
    for month, starts_at in tx.execute(_PERIOD_STARTS, key):
        rate = rules.rate_in_force(rates, starts_at)
        included = 0 if rate is None else rate.quote.included_a_month
        found[Month.from_key(month)] = billed.get(month, 0), included
    return found


def late_work(tx: sa.Connection, subscription: Subscription, period: Period, zones: Zones) -> Sequence[Activity]:
    """Time in closed earlier months of the subscription, of users not billed for those months.

    Read from the days themselves, so late time of any origin is found.
    """
    assert subscription.paid_from is not None, "only paid subscriptions are billed"  # noqa: S101 - an invariant of ours
    first = Month.of(subscription.paid_from, dt.UTC).previous  # in any time zone
    key = {"tenant": subscription.tenant_id, "subscription": subscription.id}
    values = {**key, "month": period.month.key, "first": first.key}
    if zones.earlier:
        rows = tx.execute(_LATE_BESIDE, {**values, "after": period.month.next.key}).all()
    elif tx.execute(_ANY_LATE, values).first() is not None:
        rows = tx.execute(_LATE, values).all()
    else:
        return ()
    found = ((row, _activity(row, Month.from_key(row.month_key), Reason.TIME)) for row in rows)
    return [rules.clip_to_period(activity, row.period_from, row.period_to) for row, activity in found]


def _period_parameters(tenant_id: int, period: Period) -> dict[str, Any]:
    """The parameters for a period: its month, the neighboring months and its bounds."""
    months = {"before": period.month.previous.key, "after": period.month.next.key}
    edges = {"starts_at": period.starts_at, "ends_at": period.ends_at}
    return {"tenant": tenant_id, "month": period.month.key, **months, **edges}


def _billed_through(row: sa.Row[Any]) -> BilledThrough:
    last_month = None if row.last_month is None else Month.from_key(row.last_month)
    return BilledThrough(subscription_of(row), last_month, row.billed_to)


def _activity(row: sa.Row[Any], month: Month, reason: Reason) -> Activity:
    return Activity(row.user_id, month, row.email, row.display_name, reason, row.first_at, row.last_at)
