"""Finds the trials that are over, and puts one down as expired unless somebody bought or extended it first."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import tenants
from shared.tenancy.model import Plan, TenantStatus


_t = tenants.c
_IS_OVER: Final = (
    _t.plan_kind == Plan.TRIAL.value,
    _t.status == TenantStatus.ACTIVE.value,
    _t.trial_ends_at <= bindparam("now", type_=_t.trial_ends_at.type),
)
_OVER: Final[sa.Select[Any]] = sa.select(_t.id).where(*_IS_OVER).order_by(_t.id)
# The version stays: nobody who read the tenant since its end saw it otherwise, so nobody's change is refused by this.
_EXPIRE: Final = (
    tenants.update()
    .where(_t.id == bindparam("tenant", type_=sa.BigInteger), *_IS_OVER)
    .values(status=TenantStatus.EXPIRED.value)
    .returning(_t.trial_ends_at)
)


def tenants_whose_trial_is_over(tx: sa.Connection, now: dt.datetime) -> list[int]:
    """Those of whom it is not written down yet."""
    return list(tx.scalars(_OVER, {"now": now}))


def expire(tx: sa.Connection, tenant_id: int, now: dt.datetime) -> dt.datetime | None:
    """When the trial ended that is expired by this; None when there is none that is over and active."""
    ended: dt.datetime | None = tx.execute(_EXPIRE, {"tenant": tenant_id, "now": now}).scalar_one_or_none()
    return ended
