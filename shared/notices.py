"""Notifies a tenant's people of what was done, in the transaction that does it; they read it on their pages.

Personal data never enters: people are named by their row, and only the fields listed here are kept.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from shared.db.schema import notices
from shared.instants import rfc3339
from shared.work import Work


class NoticeKind(StrEnum):
    SUPER_ADMIN_ADDED = "super_admin_added"
    SUPER_ADMIN_REMOVED = "super_admin_removed"
    ROLE_WAITING = "role_waiting"  # somebody claimed an invitation with a role above user; a super admin confirms it
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
        ValueError: a detail that is not listed, and so might be personal.
    """
    record_row(
        work.tx,
        work.tenant.id,
        kind,
        work.now,
        row_id=work.new_id(),
        about=about,
        by=by,
        details=details,
        audience=audience,
    )


def record_row(
    tx: sa.Connection,
    tenant_id: int,
    kind: NoticeKind,
    now: dt.datetime,
    *,
    row_id: uuid.UUID,
    about: int | None = None,
    by: int | None = None,
    details: Mapping[str, dt.datetime | str | int | bool | None] | None = None,
    audience: Audience = Audience.SUPER_ADMINS,
) -> None:
    """Adds a notice for the audience: `about` and `by` are the rows of users, None for nobody with an account.

    Raises:
        ValueError: a detail that is not listed, and so might be personal.
    """
    tx.execute(
        _ADD,
        {
            "tenant_id": tenant_id,
            "public_id": row_id,
            "at": now,
            "kind": kind.value,
            "audience": audience.value,
            "subject_user_id": about,
            "actor_id": by,
            "details": _kept(details),
        },
    )


def _kept(details: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not details:
        return None
    if unknown := sorted(details.keys() - FIELDS):
        raise ValueError(f"a notice does not keep {', '.join(unknown)}")
    return {name: rfc3339(value) if isinstance(value, dt.datetime) else value for name, value in details.items()}
