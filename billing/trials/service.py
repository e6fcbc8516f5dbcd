"""Expires a trial once, with an audit row. Access has ended with the date before."""

from billing.trials import store as trials_store
from shared import audit
from shared.audit import Action
from shared.tenancy.model import TenantStatus
from shared.work import Work


def expire_trial(work: Work) -> int:
    """Sets an ended trial to `expired`; returns the number of changed trials, 0 or 1."""
    ended_at = trials_store.expire(work.tx, work.tenant.id, work.now)
    if ended_at is None:
        return 0
    audit.record(
        work,
        Action.TRIAL_EXPIRED,
        before={"status": TenantStatus.ACTIVE},
        after={"status": TenantStatus.EXPIRED, "trialEndsAt": ended_at},
    )
    return 1
