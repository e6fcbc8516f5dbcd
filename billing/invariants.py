"""Invariants of bills, as queries for rows that violate them."""

from typing import Any, Final

import sqlalchemy as sa

from shared.db.schema import billing_lines, billing_records, subscriptions, tenants, usage_events


_r, _l, _e, _s = billing_records.c, billing_lines.c, usage_events.c, subscriptions.c
_other = billing_records.alias("other_record").c
_second_line = billing_lines.alias("second_line").c
_DIFFERENCE: Final = sa.type_coerce(_r.total - (_r.active_users - _r.included_users) * _r.rate_per_user, sa.Numeric)
_UNIT: Final = sa.type_coerce(_r.minor_unit, sa.Numeric)
_TWO: Final = sa.literal_column("2", sa.Integer)
_ZERO: Final = sa.literal_column("0", sa.Integer)
_LINES: Final = sa.select(sa.func.count()).where(_l.tenant_id == _r.tenant_id, _l.record_id == _r.id).scalar_subquery()
_SAME = (_other.tenant_id == _r.tenant_id, _other.subscription_id == _r.subscription_id)
_EARLIER: Final = sa.exists().where(*_SAME, _other.month_key < _r.month_key)
_MONTH_BEFORE: Final = sa.case((_r.month_key % 100 == 1, _r.month_key - 89), else_=_r.month_key - 1)
_FOLLOWS: Final = sa.exists().where(*_SAME, _other.month_key == _MONTH_BEFORE, _other.period_to == _r.period_from)
_OF_RECORD = sa.and_(_r.tenant_id == _l.tenant_id, _r.id == _l.record_id)

BILLING: Final[dict[str, sa.Select[Any]]] = {
    "bill_comes_to_its_users_times_its_rate": sa.select(_r.id).where(
        sa.or_(
            _DIFFERENCE * _TWO <= -_UNIT,
            _DIFFERENCE * _TWO > _UNIT,
            sa.type_coerce(_r.total, sa.Numeric) % _UNIT != _ZERO,
        )
    ),
    "bill_counts_its_lines": sa.select(_r.id).where(_r.active_users != _LINES),
    "line_is_void_as_its_bill": sa.select(_l.record_id)
    .join(billing_records, _OF_RECORD)
    .where(sa.or_(sa.and_(_r.state == "void", ~_l.is_void), sa.and_(_r.state != "void", _l.is_void))),
    "one_closed_bill_for_a_month": sa.select(sa.func.max(_r.id))
    .where(_r.state == "closed")
    .group_by(_r.tenant_id, _r.subscription_id, _r.month_key)
    .having(sa.func.count() > 1),
    "nobody_is_billed_twice_for_a_month": sa.select(_l.record_id).where(
        ~_l.is_void,
        sa.exists().where(
            _second_line.tenant_id == _l.tenant_id,
            _second_line.activity_month == _l.activity_month,
            _second_line.user_id == _l.user_id,
            _second_line.record_id != _l.record_id,
            ~_second_line.is_void,
        ),
    ),
    "usage_is_within_its_bill": sa.select(_e.id)
    .join(billing_records, sa.and_(_r.tenant_id == _e.tenant_id, _r.id == _e.record_id))
    .where(_e.quantity > _r.active_users - _r.included_users),
    "every_paid_plan_has_a_subscription": sa.select(tenants.c.id).where(
        tenants.c.plan_kind == "paid",
        tenants.c.erased_at.is_(None),
        ~sa.exists().where(_s.tenant_id == tenants.c.id, _s.paid_from.is_not(None)),
    ),
    "bills_leave_no_month_out": sa.select(_r.id).where(_EARLIER, ~_FOLLOWS),
    "first_bill_begins_with_the_paid_plan": sa.select(_r.id)
    .join(subscriptions, sa.and_(_s.tenant_id == _r.tenant_id, _s.id == _r.subscription_id))
    .where(~_EARLIER, _r.period_from != _s.paid_from),
}
