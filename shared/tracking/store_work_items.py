"""The work items of a tenant's organizations as Azure DevOps last showed them, kept for reports."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, projects, running_timers, time_entries, time_entry_days, work_items
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import Organization
from shared.tenancy.store_organizations import organization_key


@dataclass(frozen=True, slots=True)
class CachedWorkItem:
    id: int
    type: str
    title: str
    assignee_name: str | None
    state: str
    fetched_at: dt.datetime


_items = work_items.c
_ORGANIZATION = (
    _items.tenant_id == bindparam("tenant", type_=sa.BigInteger),
    _items.organization_id == bindparam("organization", type_=sa.BigInteger),
)
_FIND: Final[sa.Select[Any]] = sa.select(
    _items.work_item_id, _items.type, _items.title, _items.assignee_name, _items.state, _items.fetched_at
).where(*_ORGANIZATION, _items.work_item_id.in_(bindparam("ids", expanding=True)))
_REFRESH: Final = (
    work_items.update()
    .where(
        *_ORGANIZATION,
        _items.work_item_id == bindparam("item"),
        _items.fetched_at <= bindparam("new_fetched_at", type_=_items.fetched_at.type),  # the newest look stays
    )
    .values(
        type=bindparam("new_type"),
        title=bindparam("new_title"),
        assignee_name=bindparam("new_assignee_name"),
        state=bindparam("new_state"),
        fetched_at=bindparam("new_fetched_at", type_=_items.fetched_at.type),
    )
)
_ADD = InsertIfAbsent(
    work_items,
    key=("tenant_id", "organization_id", "work_item_id"),
    columns=(
        "tenant_id",
        "organization_id",
        "organization_key",
        "work_item_id",
        "type",
        "title",
        "assignee_name",
        "state",
        "fetched_at",
    ),
)
_TIMED = (
    sa.select(sa.literal(1))
    .join(
        projects,
        sa.and_(projects.c.tenant_id == time_entries.c.tenant_id, projects.c.id == time_entries.c.project_id),
    )
    .where(
        time_entries.c.tenant_id == bindparam("tenant"),
        time_entries.c.user_id == bindparam("user"),
        time_entries.c.work_item_id == bindparam("item"),
        projects.c.organization_id == bindparam("organization", type_=sa.BigInteger),
    )
    .limit(1)
)
_RUNS = sa.select(sa.literal(1)).where(
    running_timers.c.tenant_id == bindparam("tenant"),
    running_timers.c.user_id == bindparam("user"),
    running_timers.c.work_item_id == bindparam("item"),
    running_timers.c.organization_id == bindparam("organization", type_=sa.BigInteger),
)


_days = time_entry_days.c
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)


def _stale(*whose: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Of the days asked for, the work items of active organizations that nobody has looked at since an instant."""
    worked = (
        sa.select(_days.project_id, _days.work_item_id)
        .distinct()
        .where(
            _days.tenant_id == _TENANT,
            _days.month_key.between(bindparam("first_month"), bindparam("last_month")),
            _days.work_date.between(bindparam("first"), bindparam("last")),
            *whose,
        )
        .subquery("worked")
    )
    seen = sa.exists().where(
        _items.tenant_id == _TENANT,
        _items.organization_id == projects.c.organization_id,
        _items.work_item_id == worked.c.work_item_id,
        _items.fetched_at > bindparam("seen_since", type_=_items.fetched_at.type),
    )
    return (
        sa.select(projects.c.organization_id, worked.c.work_item_id)
        .distinct()
        .select_from(worked)
        .join(projects, sa.and_(projects.c.tenant_id == _TENANT, projects.c.id == worked.c.project_id))
        .join(
            organizations,
            sa.and_(organizations.c.tenant_id == _TENANT, organizations.c.id == projects.c.organization_id),
        )
        .where(organizations.c.is_active == sa.true(), ~seen)
        .order_by(projects.c.organization_id, worked.c.work_item_id)  # T-SQL limits only what has an order
        .limit(bindparam("most", type_=sa.Integer))
    )


_STALE: Final = _stale()
_STALE_OF_ONE: Final = _stale(_days.user_id == bindparam("user", type_=sa.BigInteger))


def find(tx: sa.Connection, tenant_id: int, organization_id: int, ids: Iterable[int]) -> dict[int, CachedWorkItem]:
    """The work items of an organization that are known, by their number."""
    parameters = {"tenant": tenant_id, "organization": organization_id, "ids": list(ids)}
    return {row.work_item_id: CachedWorkItem(*row) for row in tx.execute(_FIND, parameters)}


def save(tx: sa.Connection, tenant_id: int, organization: Organization, items: Iterable[CachedWorkItem]) -> None:
    """Keeps what Azure DevOps showed, all at once; where a later look is kept already, that stays."""
    items = sorted(items, key=lambda each: each.id)  # in one order, so that two at once do not block each other
    known = find(tx, tenant_id, organization.id, (item.id for item in items))
    of = {
        "tenant_id": tenant_id,
        "organization_id": organization.id,
        "organization_key": organization_key(organization.name),
    }
    _ADD.run_all(tx, [{**of, **_values(item, "work_item_id", "")} for item in items if item.id not in known])
    again = [item for item in items if item.id in known]
    if again:
        names = {"tenant": tenant_id, "organization": organization.id}
        tx.execute(_REFRESH, [{**names, **_values(item, "item", "new_")} for item in again])


def _values(item: CachedWorkItem, id_name: str, prefix: str) -> dict[str, Any]:
    return {
        id_name: item.id,
        f"{prefix}type": item.type,
        f"{prefix}title": item.title,
        f"{prefix}assignee_name": item.assignee_name,
        f"{prefix}state": item.state,
        f"{prefix}fetched_at": item.fetched_at,
    }


def stale(
    tx: sa.Connection,
    tenant_id: int,
    *,
    first: dt.date,
    last: dt.date,
    user_id: int | None,
    seen_since: dt.datetime,
    most: int,
) -> dict[int, list[int]]:
    """Work items with time from `first` to `last` that were not seen since an instant, `most` at the most.

    By the row of their organization, which is an active one.
    """
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "first": first,
        "last": last,
        "first_month": first.year * 100 + first.month,
        "last_month": last.year * 100 + last.month,
        "seen_since": seen_since,
        "most": most,
    }
    if user_id is None:
        rows = tx.execute(_STALE, parameters)
    else:
        rows = tx.execute(_STALE_OF_ONE, {**parameters, "user": user_id})
    found: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        found[row.organization_id].append(row.work_item_id)
    return found


def has_time_on(tx: sa.Connection, tenant_id: int, user_id: int, organization_id: int, work_item_id: int) -> bool:
    """Whether a user has tracked time on a work item, or does so now."""
    parameters = {"tenant": tenant_id, "user": user_id, "organization": organization_id, "item": work_item_id}
    return any(tx.execute(query, parameters).first() is not None for query in (_RUNS, _TIMED))
