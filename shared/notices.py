"""Notices for a tenant's people on the product's pages, added in the transaction of the change.

They have no personal data: people are rows of users, and only the fields listed here are stored.
"""

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from shared.db.schema import notices
from shared.instants import rfc3339
from shared.work import Work


class NoticeKind(StrEnum):
    SUPER_ADMIN_ADDED = "super_admin_added"
    SUPER_ADMIN_REMOVED = "super_admin_removed"
    ROLE_WAITING = "role_waiting"  # a claimed invitation with a role above user, for a super admin to confirm
    TENANT_EXPORTED = "tenant_exported"
    ERASURE_SCHEDULED = "erasure_scheduled"
    PURCHASE_WAITING = "purchase_waiting"
    PURCHASE_AGREED = "purchase_agreed"
    PURCHASE_DECLINED = "purchase_declined"
    PURCHASE_CANCELLED = "purchase_cancelled"  # while it waited
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    DATABASE_RESTORED = "database_restored"


class Audience(StrEnum):
    SUPER_ADMINS = "super_admins"
    EVERYONE = "everyone"


FIELDS: Final = frozenset({"dueAt", "from", "plan", "scope", "seats", "to", "trialEndsAt"})
_ADD: Final = notices.insert().inline()


def record(
    work: Work,
    kind: NoticeKind,
    *,
    about: int | None = None,
    by: int | None = None,
    details: Mapping[str, dt.datetime | str | int | bool | None] | None = None,
    audience: Audience = Audience.SUPER_ADMINS,
) -> None:
    """Adds a notice for the audience: `about` and `by` are rows of users, None for nobody with an account.

    Raises:
        ValueError: a detail that is not listed, so it might be personal.
    """
    work.tx.execute(
        _ADD,
        {
            "tenant_id": work.tenant.id,
            "public_id": work.new_id(),
            "at": work.now,
            "kind": kind.value,
            "audience": audience.value,
            "subject_user_id": about,
            "actor_id": by,
            "details": _to_json(details),
        },
    )


def _to_json(details: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not details:
        return None
    if unknown := sorted(details.keys() - FIELDS):
        raise ValueError(f"a notice has no fields {', '.join(unknown)}")
    return {name: rfc3339(value) if isinstance(value, dt.datetime) else value for name, value in details.items()}
