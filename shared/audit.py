"""The audit log: records a change in its own transaction, with its actor, time, and fields before and after.

It has no personal data: people are rows of users, and only the fields listed here are stored.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from shared.db import operator
from shared.db.schema import audit_log
from shared.instants import rfc3339
from shared.work import Work


class Action(StrEnum):
    TENANT_CREATED = "tenant.created"
    TENANT_CHANGED = "tenant.changed"
    ORGANIZATION_ADDED = "organization.added"
    ORGANIZATION_RENAMED = "organization.renamed"
    ORGANIZATION_ACTIVATED = "organization.activated"
    ORGANIZATION_DEACTIVATED = "organization.deactivated"
    PROJECT_JOINED = "project.joined"
    PROJECT_SEPARATED = "project.separated"
    PLAN_CHANGED = "plan.changed"
    TRIAL_EXTENDED = "trial.extended"
    SUBSCRIPTION_MOVED = "subscription.moved"  # bought, changed, suspended, reinstated or ended
    SUBSCRIPTION_CHANGE_REFUSED = "subscription.change_refused"
    PURCHASE_REQUESTED = "purchase.requested"
    PURCHASE_AGREED = "purchase.agreed"
    PURCHASE_DECLINED = "purchase.declined"
    PURCHASE_CANCELLED = "purchase.cancelled"  # while it waited for an answer
    BILL_CLOSED = "bill.closed"
    BILL_VOIDED = "bill.voided"
    TRIAL_EXPIRED = "trial.expired"
    USER_JOINED = "user.joined"
    USER_BOUND = "user.bound"
    USER_ADDED = "user.added"
    USER_RENAMED = "user.renamed"
    USER_ADDRESS_CHANGED = "user.address_changed"
    USER_MERGED = "user.merged"
    INVITATION_ENDED = "invitation.ended"
    TENANT_HANDED_OVER = "tenant.handed_over"
    ROLE_CHANGED = "role.changed"
    USER_DEACTIVATED = "user.deactivated"
    USER_REACTIVATED = "user.reactivated"
    SIGN_IN_REFUSED = "sign_in.refused"
    REPORT_EXPORTED = "report.exported"
    USAGE_RESLOTTED = "usage.reslotted"
    USAGE_ADOPTED = "usage.adopted"  # the meter had it when a backup was restored
    STATEMENT_EXPORTED = "statement.exported"
    ENTRY_ADDED = "entry.added"  # these four: to another person's time; details are in the timer log
    ENTRY_CORRECTED = "entry.corrected"
    ENTRY_CONFIRMED = "entry.confirmed"
    ENTRY_DELETED = "entry.deleted"
    DATA_EXPORTED = "data.exported"
    RIGHT_CHANGED = "right.changed"
    NOMINEE_NAMED = "nominee.named"
    NOMINEE_REMOVED = "nominee.removed"
    NOMINEE_READ = "nominee.read"
    ERASURE_REQUESTED = "erasure.requested"
    ERASURE_VERIFIED = "erasure.verified"
    ERASURE_HELD = "erasure.held"
    ERASURE_RELEASED = "erasure.released"
    ERASURE_WITHDRAWN = "erasure.withdrawn"
    ERASURE_MENTIONS_CHOSEN = "erasure.mentions_chosen"
    ERASURE_DONE = "erasure.done"
    LEGAL_HOLD_SET = "legal_hold.set"
    LEGAL_HOLD_LIFTED = "legal_hold.lifted"
    DATABASE_RESTORED = "database.restored"  # from a backup; changes between two instants may be lost


FIELDS: Final = frozenset(
    {
        "activeUsers",
        "azureDevOpsOrganization",
        "changed",
        "channel",
        "code",
        "currency",
        "day",
        "endsAgreement",
        "entries",
        "entryId",
        "forgottenTimerLimitMinutes",
        "format",
        "from",
        "isActive",
        "isAdjustment",
        "joinedTo",
        "kind",
        "lowerRemainingWork",
        "month",
        "organization",
        "pendingRole",
        "plan",
        "proof",
        "projectId",
        "quantity",
        "ratePerUser",
        "recordId",
        "reason",
        "request",
        "right",
        "role",
        "scope",
        "seatLimit",
        "seatsUsed",
        "slot",
        "slug",
        "status",
        "subscriptionPlan",
        "subscriptionStatus",
        "timeZone",
        "titles",
        "to",
        "total",
        "trialEndsAt",
        "version",
        "writeBack",
    }
)
_ADD: Final = audit_log.insert().inline()


def record(
    work: Work,
    action: Action,
    *,
    subject: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    row_id: uuid.UUID | None = None,
) -> None:
    """Appends a row about `subject`, a row of users, or about the tenant. Without `row_id` the row gets a new id.

    Values without a JSON type are stored as text, instants as RFC 3339.

    Raises:
        ValueError: a field that is not listed, so it might be personal.
    """
    work.tx.execute(
        _ADD,
        {
            "tenant_id": work.tenant.id,
            "public_id": work.new_id() if row_id is None else row_id,
            "at": work.now,
            "actor_kind": work.actor.kind.value,
            "actor_id": work.actor.user_id,
            "action": action.value,
            "subject_user_id": subject,
            "before_change": _to_json(before),
            "after_change": _to_json(after),
            "operator_id": operator.of(work.tx),
        },
    )


def _to_json(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not fields:
        return None
    if unknown := sorted(fields.keys() - FIELDS):
        raise ValueError(f"the audit log has no fields {', '.join(unknown)}")
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field
    if isinstance(value, dt.datetime):
        return rfc3339(value)
    return value if value is None or isinstance(value, bool | int | str | list) else str(value)
