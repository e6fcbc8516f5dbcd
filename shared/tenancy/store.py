"""Reads tenants and callers, and records sign-ins by month."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.calendar import Month
from shared.db.row_level_security import set_tenant
from shared.db.schema import tenants, user_months, users
from shared.db.statements import InsertIfAbsent, for_update
from shared.tenancy.model import AuthProvider, Caller, Plan, Role, Tenant, TenantStatus, User


TENANT_COLUMNS: Final = (
    tenants.c.id,
    tenants.c.public_id,
    tenants.c.name,
    tenants.c.slug,
    tenants.c.organization,
    tenants.c.plan_kind,
    tenants.c.status,
    tenants.c.time_zone,
    tenants.c.trial_ends_at,
    tenants.c.seats_used,
    tenants.c.seat_limit,
    tenants.c.write_back,
    tenants.c.forgotten_timer_limit_ms,
    tenants.c.lower_remaining_work,
)


def restricted_since(people: sa.FromClause) -> sa.ColumnElement[dt.datetime | None]:
    """The time since when processing of a person's data is stopped, by any right; NULL if it is not."""
    return sa.func.coalesce(people.c.restricted_at, people.c.objected_at, people.c.consent_withdrawn_at)


def not_restricted(people: sa.FromClause) -> sa.ColumnElement[bool]:
    """The condition that a person's data may be processed."""
    return sa.and_(
        people.c.restricted_at.is_(None), people.c.objected_at.is_(None), people.c.consent_withdrawn_at.is_(None)
    )


def visible_to(people: sa.FromClause, viewer: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """The condition that the viewer may see a person's data: processing is not stopped, or it is the viewer's own.

    An invitation that was merged into the viewer is their own.
    """
    return sa.or_(not_restricted(people), sa.func.coalesce(people.c.merged_into, people.c.id) == viewer)


def shown_name(people: sa.FromClause, viewer: sa.ColumnElement[int]) -> sa.ColumnElement[str | None]:
    """A person's name; NULL where the viewer may not see their data."""
    return sa.case((visible_to(people, viewer), people.c.display_name))


USER_COLUMNS: Final = (
    users.c.id,
    users.c.public_id,
    users.c.email,
    users.c.display_name,
    users.c.role,
    users.c.pending_role,
    users.c.auth_provider,
    users.c.is_active,
    users.c.first_sign_in_at,
    users.c.last_sign_in_at,
    restricted_since(users).label("restricted_since"),
)
_CALLER: Final[sa.Select[Any]] = (
    sa.select(*TENANT_COLUMNS, *(column.label(f"user_{column.name}") for column in USER_COLUMNS))
    .join(users, users.c.tenant_id == tenants.c.id)
    .where(tenants.c.entra_tenant_id == bindparam("tid"), users.c.entra_object_id == bindparam("oid"))
)
_CALLER_LOCKED: Final = for_update(_CALLER, users)
_TENANT: Final[sa.Select[Any]] = sa.select(*TENANT_COLUMNS).where(tenants.c.entra_tenant_id == bindparam("tid"))
_TENANT_LOCKED: Final = for_update(_TENANT, tenants)
_TENANT_BY_ID: Final[sa.Select[Any]] = sa.select(*TENANT_COLUMNS).where(tenants.c.id == bindparam("tenant"))
_TENANT_FOR_UPDATE: Final = for_update(_TENANT_BY_ID, tenants)
_m = user_months.c
_SIGNED_IN_AGAIN = (
    user_months.update()
    .where(_m.month_key == bindparam("month"), _m.tenant_id == bindparam("tenant"), _m.user_id == bindparam("person"))
    .values(last_sign_in_at=bindparam("at"))
)
_SIGNED_IN_AGAIN_PAID = _SIGNED_IN_AGAIN.values(
    first_paid_sign_in_at=sa.func.coalesce(_m.first_paid_sign_in_at, bindparam("at")),
    last_paid_sign_in_at=bindparam("at"),
)
_SIGN_INS = ("first_sign_in_at", "last_sign_in_at", "first_paid_sign_in_at", "last_paid_sign_in_at")
_SIGNED_IN = InsertIfAbsent(
    user_months,
    key=("month_key", "tenant_id", "user_id"),
    columns=("month_key", "tenant_id", "user_id", *_SIGN_INS),
)


def to_tenant(row: sa.Row[Any]) -> Tenant:
    return Tenant(
        id=row.id,
        public_id=row.public_id,
        name=row.name,
        slug=row.slug,
        organization=row.organization,
        plan=Plan(row.plan_kind),
        status=TenantStatus(row.status),
        time_zone=row.time_zone,
        trial_ends_at=row.trial_ends_at,
        seats_used=row.seats_used,
        seat_limit=row.seat_limit,
        write_back=row.write_back,
        forgotten_timer_limit_ms=row.forgotten_timer_limit_ms,
        lower_remaining_work=row.lower_remaining_work,
    )


def to_user(row: sa.Row[Any], prefix: str = "") -> User:
    """The user of a row, whose columns may have a prefix."""

    def value(name: str) -> Any:  # noqa: ANN401 - of any column
        return getattr(row, prefix + name)

    return User(
        id=value("id"),
        public_id=value("public_id"),
        email=value("email"),
        display_name=value("display_name"),
        role=Role(value("role")),
        pending_role=None if value("pending_role") is None else Role(value("pending_role")),
        auth_provider=AuthProvider(value("auth_provider")),
        is_active=value("is_active"),
        first_sign_in_at=value("first_sign_in_at"),
        last_sign_in_at=value("last_sign_in_at"),
        restricted_since=value("restricted_since"),
    )


def find_caller(tx: sa.Connection, *, tid: str, oid: str, lock: bool) -> Caller | None:
    """The caller with these directory ids; with `lock` the user is locked, so that their writes run in order."""
    row = tx.execute(_CALLER_LOCKED if lock else _CALLER, {"tid": uuid.UUID(tid), "oid": uuid.UUID(oid)}).first()
    if row is None:
        return None
    set_tenant(tx, row.id)
    return Caller(to_tenant(row), to_user(row, "user_"))


def find_tenant(tx: sa.Connection, *, tid: str, lock: bool = False) -> Tenant | None:
    """The tenant of a directory; with `lock` it is locked, so that changes of its accounts run in order."""
    row = tx.execute(_TENANT_LOCKED if lock else _TENANT, {"tid": uuid.UUID(tid)}).first()
    if row is None:
        return None
    set_tenant(tx, row.id)
    return to_tenant(row)


def read_tenant(tx: sa.Connection, tenant_id: int) -> Tenant:
    set_tenant(tx, tenant_id)
    return to_tenant(tx.execute(_TENANT_BY_ID, {"tenant": tenant_id}).one())


def lock_tenant(tx: sa.Connection, tenant_id: int) -> Tenant:
    """The tenant, locked until the transaction ends, so that changes of its people run in order."""
    set_tenant(tx, tenant_id)
    return to_tenant(tx.execute(_TENANT_FOR_UPDATE, {"tenant": tenant_id}).one())


def record_sign_in(tx: sa.Connection, tenant: Tenant, user_id: int, *, month: Month, at: dt.datetime) -> None:
    """Stores the first and the last sign-in of a month in the tenant's time zone, for its bill.

    Sign-ins on a paid plan are stored separately, since those before or after it are not billed.
    """
    is_paid = tenant.plan is Plan.PAID and tenant.status is not TenantStatus.CANCELLED
    key = {"month": month.key, "tenant": tenant.id, "person": user_id, "at": at}
    if tx.execute(_SIGNED_IN_AGAIN_PAID if is_paid else _SIGNED_IN_AGAIN, key).rowcount == 0:
        paid_at = at if is_paid else None
        row = {"month_key": month.key, "tenant_id": tenant.id, "user_id": user_id}
        _SIGNED_IN.run(tx, {**row, **dict(zip(_SIGN_INS, (at, at, paid_at, paid_at), strict=True))})
