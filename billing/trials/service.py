"""The end of a trial: its state and its event, once. It removes nothing, and what is allowed does not wait for it."""

import datetime as dt
import uuid

import sqlalchemy as sa

from billing.trials import store as trials_store
from shared import audit
from shared.audit import Action
from shared.tenancy.model import TenantStatus
from shared.work import SERVICE


def end_trial(tx: sa.Connection, tenant_id: int, *, now: dt.datetime, row_id: uuid.UUID) -> int:
    """Moves a trial that is over to `expired` and puts its end on record; how many that were, 0 or 1."""
    ended_at = trials_store.expire(tx, tenant_id, now)
    if ended_at is None:
        return 0
    audit.record_row(
        tx,
        tenant_id,
        Action.TRIAL_EXPIRED,
        actor=SERVICE,
        at=now,
        row_id=row_id,
        before={"status": TenantStatus.ACTIVE},
        after={"status": TenantStatus.EXPIRED, "trialEndsAt": ended_at},
    )
    return 1
