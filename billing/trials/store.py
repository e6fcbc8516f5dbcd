"""Finds ended trials, and expires a trial unless it was purchased or extended first."""

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
# The version stays, so that no concurrent edit is refused: the trial is shown as expired since its end.
_EXPIRE: Final = (
    tenants.update()
    .where(_t.id == bindparam("tenant", type_=sa.BigInteger), *_IS_OVER)
    .values(status=TenantStatus.EXPIRED.value)
    .returning(_t.trial_ends_at)
)


def tenants_with_ended_trial(tx: sa.Connection, now: dt.datetime) -> list[int]:
    """The tenants with an ended trial that is not stored as expired."""
    return list(tx.scalars(_OVER, {"now": now}))


def expire(tx: sa.Connection, tenant_id: int, now: dt.datetime) -> dt.datetime | None:
    """Expires an ended trial and returns its end; None if there is none to expire."""
    ended: dt.datetime | None = tx.execute(_EXPIRE, {"tenant": tenant_id, "now": now}).scalar_one_or_none()
    return ended
