"""The work items of a tenant as Azure DevOps last showed them: kept for reports, a row for each."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, running_timers, time_entries, time_entry_days, work_items
from shared.db.statements import InsertIfAbsent


@dataclass(frozen=True, slots=True)
class CachedWorkItem:
    id: int
    type: str
    title: str
    assignee_name: str | None
    state: str
    fetched_at: dt.datetime


_items = work_items.c
_ORGANIZATION = (_items.tenant_id == bindparam("tenant"), _items.organization_key == bindparam("organization"))
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
    key=("tenant_id", "organization_key", "work_item_id"),
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
    source=sa.select(
        organizations.c.tenant_id,
        organizations.c.id,
        organizations.c.name_key,
        *(
            bindparam(name, type_=_items[name].type).label(name)
            for name in ("work_item_id", "type", "title", "assignee_name", "state", "fetched_at")
        ),
    ).where(
        organizations.c.tenant_id == bindparam("tenant_id"), organizations.c.name_key == bindparam("organization_key")
    ),
)
_TIMED = sa.select(sa.literal(1)).where(
    time_entries.c.tenant_id == bindparam("tenant"),
    time_entries.c.user_id == bindparam("user"),
    time_entries.c.work_item_id == bindparam("item"),
)
_RUNS = sa.select(sa.literal(1)).where(
    running_timers.c.tenant_id == bindparam("tenant"),
    running_timers.c.user_id == bindparam("user"),
    running_timers.c.work_item_id == bindparam("item"),
)


_days = time_entry_days.c
# Of the days asked for, the work items that nobody has looked at since an instant.
_STALE: Final = (
    sa.select(_days.work_item_id)
    .distinct()
    .where(
        _days.tenant_id == bindparam("tenant"),
        _days.month_key.between(bindparam("first_month"), bindparam("last_month")),
        _days.work_date.between(bindparam("first"), bindparam("last")),
        ~sa.exists().where(
            _items.tenant_id == _days.tenant_id,
            _items.organization_key == bindparam("organization"),
            _items.work_item_id == _days.work_item_id,
            _items.fetched_at > bindparam("seen_since", type_=_items.fetched_at.type),
        ),
    )
    .order_by(_days.work_item_id)  # T-SQL limits only what has an order
    .limit(bindparam("most"))
)
_STALE_OF_ONE: Final = _STALE.where(_days.user_id == bindparam("user"))


def organization_key(organization: str) -> str:
    """Azure DevOps takes names that differ only in case for the same."""
    return organization.lower()


def find(tx: sa.Connection, tenant_id: int, organization: str, ids: Iterable[int]) -> dict[int, CachedWorkItem]:
    """The work items that are known, by their number."""
    parameters = {"tenant": tenant_id, "organization": organization_key(organization), "ids": list(ids)}
    return {row.work_item_id: CachedWorkItem(*row) for row in tx.execute(_FIND, parameters)}


def save(tx: sa.Connection, tenant_id: int, organization: str, items: Iterable[CachedWorkItem]) -> None:
    """Keeps what Azure DevOps showed; where a later look is kept already, that stays."""
    key = organization_key(organization)
    items = sorted(items, key=lambda each: each.id)  # in one order, so that two at once do not block each other
    known = find(tx, tenant_id, organization, (item.id for item in items))
    for item in items:
        if item.id not in known:
            _ADD.run(tx, {"tenant_id": tenant_id, "organization_key": key, **_values(item, "work_item_id", "")})
    again = [item for item in items if item.id in known]
    if again:
        names = {"tenant": tenant_id, "organization": key}
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
    organization: str,
    *,
    first: dt.date,
    last: dt.date,
    user_id: int | None,
    seen_since: dt.datetime,
    most: int,
) -> list[int]:
    """Work items with time from `first` to `last` that were not seen since an instant, `most` at the most."""
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "organization": organization_key(organization),
        "first": first,
        "last": last,
        "first_month": first.year * 100 + first.month,
        "last_month": last.year * 100 + last.month,
        "seen_since": seen_since,
        "most": most,
    }
    if user_id is None:
        return list(tx.scalars(_STALE, parameters))
    return list(tx.scalars(_STALE_OF_ONE, {**parameters, "user": user_id}))


def has_time_on(tx: sa.Connection, tenant_id: int, user_id: int, work_item_id: int) -> bool:
    """Whether a user has tracked time on a work item, or does so now."""
    parameters = {"tenant": tenant_id, "user": user_id, "item": work_item_id}
    return any(tx.execute(query, parameters).first() is not None for query in (_RUNS, _TIMED.limit(1)))
