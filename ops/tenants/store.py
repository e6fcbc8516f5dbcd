"""Reads tenants and their people page by page, and changes the terms of one tenant."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ops.tenant_account import TenantAccount
from shared.db.schema import running_timers, tenants, time_entries, timer_log, users
from shared.tenancy.model import Plan
from shared.tenancy.store import to_tenant


_t, _u = tenants.c, users.c
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_AFTER: Final = bindparam("after", type_=sa.BigInteger)
_SIZE: Final = bindparam("size", type_=sa.Integer)
_PLAN, _STATUS = bindparam("plan", type_=_t.plan_kind.type), bindparam("state", type_=_t.status.type)
_SINCE = bindparam("since", type_=_t.trial_ends_at.type)
_UNTIL = bindparam("until", type_=_t.trial_ends_at.type)
_ROLE: Final = bindparam("person_role", type_=_u.role.type)
_MAY_BE_ACTIVE: Final = bindparam("may_be_active", type_=sa.Integer)  # 1 or 0: a flag alone has no type on PostgreSQL
_CAP = bindparam("cap", type_=sa.Integer)

_PAGE: Final[sa.Select[Any]] = (
    sa.select(tenants)
    .where(
        _t.id > _AFTER,
        sa.or_(_PLAN.is_(None), _t.plan_kind == _PLAN),
        sa.or_(_STATUS.is_(None), _t.status == _STATUS),
        sa.or_(
            _UNTIL.is_(None),
            sa.and_(_t.plan_kind == Plan.TRIAL.value, _t.trial_ends_at > _SINCE, _t.trial_ends_at <= _UNTIL),
        ),
    )
    .order_by(_t.id)
    .limit(_SIZE)
)
_FIND: Final[sa.Select[Any]] = sa.select(tenants).where(
    sa.or_(
        # A slug may look like another tenant's id, from before such slugs were refused
        sa.and_(bindparam("guid", type_=sa.Uuid).is_(None), _t.slug == bindparam("name", type_=_t.slug.type)),
        _t.public_id == bindparam("guid", type_=sa.Uuid),
        _t.entra_tenant_id == bindparam("guid", type_=sa.Uuid),
    )
)
_PEOPLE: Final = (
    sa.select(_u.role, _u.is_active, sa.func.count().label("people"))
    .where(_u.tenant_id == _TENANT)
    .group_by(_u.role, _u.is_active)
)
_ACTIVITY: Final[sa.Select[Any]] = sa.select(
    sa.select(sa.func.count()).where(running_timers.c.tenant_id == _TENANT).scalar_subquery().label("running"),
    sa.select(sa.func.count()).where(time_entries.c.tenant_id == _TENANT).scalar_subquery().label("entries"),
    sa.select(sa.func.max(_u.last_sign_in_at)).where(_u.tenant_id == _TENANT).scalar_subquery().label("signed_in"),
    sa.select(timer_log.c.received_at)
    .where(timer_log.c.tenant_id == _TENANT)
    .order_by(timer_log.c.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("logged"),
)
_USERS: Final[sa.Select[Any]] = (
    sa.select(users)
    .where(
        _u.tenant_id == _TENANT,
        _u.id > _AFTER,
        sa.or_(_ROLE.is_(None), _u.role == _ROLE),
        sa.or_(_MAY_BE_ACTIVE == 1, ~_u.is_active),
    )
    .order_by(_u.id)
    .limit(_SIZE)
)
# A change of the tenant since it was read changes the version; a new seat does not, so the seats are compared as well.
_CHANGE: Final = (
    tenants.update()
    .where(
        _t.id == _TENANT,
        _t.version == bindparam("seen", type_=sa.Integer),
        sa.or_(_CAP.is_(None), _t.seats_used <= _CAP),
    )
    .values(
        plan_kind=_PLAN,
        status=_STATUS,
        rate_per_user=bindparam("rate", type_=_t.rate_per_user.type),
        currency=bindparam("money", type_=_t.currency.type),
        rate_unit=bindparam("unit", type_=_t.rate_unit.type),
        subscription_id=bindparam("bought", type_=_t.subscription_id.type),
        seat_limit=bindparam("seats", type_=sa.Integer),
        trial_started_at=bindparam("trial_from", type_=_t.trial_started_at.type),
        trial_ends_at=_UNTIL,
        users_at_purchase=sa.case(
            (sa.and_(sa.literal(Plan.PAID.value) == _PLAN, _t.plan_kind != Plan.PAID.value), _t.seats_used),
            else_=_t.users_at_purchase,
        ),
        version=_t.version + 1,
        updated_at=bindparam("now", type_=_t.updated_at.type),
    )
)


def page_of_tenants(tx: sa.Connection, *, after: int, size: int, **filters: Any) -> list[TenantAccount]:  # noqa: ANN401
    """The next tenants by creation date, filtered by plan, status, or the end of the trial."""
    values = {"plan": None, "state": None, "since": None, "until": None, **filters}
    return [_account(row) for row in tx.execute(_PAGE, {"after": after, "size": size, **values})]


def find_tenant(tx: sa.Connection, *, slug: str, guid: uuid.UUID | None) -> TenantAccount | None:
    """By slug, or by the id of the tenant or of its directory."""
    row = tx.execute(_FIND, {"name": slug, "guid": guid}).first()
    return None if row is None else _account(row)


def people_of(tx: sa.Connection, tenant_id: int) -> Sequence[sa.Row[Any]]:
    """The number of people by role and state."""
    return tx.execute(_PEOPLE, {"tenant": tenant_id}).all()


def activity_of(tx: sa.Connection, tenant_id: int) -> sa.Row[Any]:
    """Running timers, entries, the last sign-in and the last log entry."""
    return tx.execute(_ACTIVITY, {"tenant": tenant_id}).one()


def page_of_users(
    tx: sa.Connection, tenant_id: int, *, after: int, size: int, role: str | None, inactive: bool
) -> Sequence[sa.Row[Any]]:
    values = {
        "tenant": tenant_id,
        "after": after,
        "size": size,
        "person_role": role,
        "may_be_active": int(not inactive),
    }
    return tx.execute(_USERS, values).all()


def change_terms(tx: sa.Connection, tenant_id: int, values: dict[str, Any]) -> bool:
    """False, without a change, if the version is another one or more than `cap` seats are used."""
    return tx.execute(_CHANGE, {"tenant": tenant_id, **values}).rowcount == 1


def _account(row: sa.Row[Any]) -> TenantAccount:
    return TenantAccount(
        tenant=to_tenant(row),
        directory_id=row.entra_tenant_id,
        admin_email=row.admin_email,
        trial_started_at=row.trial_started_at,
        rate_per_user=row.rate_per_user,
        currency=row.currency,
        subscription_id=row.subscription_id,
        users_at_purchase=row.users_at_purchase,
        forgotten_timer_limit_ms=row.forgotten_timer_limit_ms,
        write_back=row.write_back,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
