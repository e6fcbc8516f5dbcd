"""The rows of hours owed to Completed Work: one for each change of an entry's time on a work item."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, write_backs
from shared.tracking.model import TimeEntry, WorkItem
from shared.tracking.write_backs import NOT_SENT, Attempt, Debt, Standing, WriteBack, worst


_rows = write_backs.c
_OWE: Final = write_backs.insert().inline()
_OWED: Final[sa.Select[Any]] = (
    sa.select(_rows.project_id, _rows.work_item_id, sa.func.sum(_rows.delta_ms, type_=sa.BigInteger).label("owed_ms"))
    .where(_rows.tenant_id == bindparam("tenant"), _rows.entry_id == bindparam("entry"))
    .group_by(_rows.project_id, _rows.work_item_id)
)
_DEBTS: Final[sa.Select[Any]] = (
    sa.select(write_backs, projects.c.organization_id, projects.c.organization, projects.c.name.label("project"))
    .join(projects, sa.and_(projects.c.tenant_id == _rows.tenant_id, projects.c.id == _rows.project_id))
    .where(_rows.tenant_id == bindparam("tenant"), _rows.entry_id == bindparam("entry"))
    .order_by(_rows.id)
)
_OWNER: Final = (
    sa.select(_rows.user_id)
    .where(_rows.tenant_id == bindparam("tenant"), _rows.entry_id == bindparam("entry"))
    .limit(1)
)
_STATES: Final[sa.Select[Any]] = (
    sa.select(_rows.entry_id, _rows.state, _rows.reason, _rows.detail)
    .where(_rows.tenant_id == bindparam("tenant"), _rows.entry_id.in_(bindparam("entries", expanding=True)))
    .order_by(_rows.id)
)
_THIS = (_rows.tenant_id == bindparam("tenant"), _rows.public_id == bindparam("debt"))
_until = bindparam("until", type_=_rows.claimed_until.type)
_CLAIM: Final = (
    write_backs.update()
    .where(
        *_THIS,
        _rows.state != WriteBack.DONE.value,
        sa.or_(_rows.claimed_until.is_(None), _rows.claimed_until <= bindparam("now", type_=_rows.updated_at.type)),
    )
    .values(claimed_until=_until)
)
# Whoever's claim has run out and been taken over changes nothing any more.
_MINE = (*_THIS, _rows.claimed_until == _until)
_PIN: Final = (
    write_backs.update()
    .where(*_MINE)
    .values(
        pinned_revision=bindparam("revision"),
        hours_before=bindparam("before", type_=_rows.hours_before.type),
        hours_after=bindparam("after", type_=_rows.hours_after.type),
    )
)
_END: Final = (
    write_backs.update()
    .where(*_MINE)
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        detail=bindparam("new_detail"),
        claimed_until=None,
        updated_at=bindparam("at", type_=_rows.updated_at.type),
    )
)


def owe(
    tx: sa.Connection,
    tenant_id: int,
    entry: TimeEntry,
    *,
    version: int,
    on: tuple[int, int],
    delta_ms: int,
    now: dt.datetime,
) -> None:
    """Writes down what a version of an entry owes on a project and work item. No version owes one item twice."""
    project_id, work_item_id = on
    tx.execute(
        _OWE,
        {
            "tenant_id": tenant_id,
            "user_id": entry.user_id,
            "public_id": uuid.uuid5(entry.id, f"{version}/{project_id}/{work_item_id}"),
            "entry_id": entry.id,
            "project_id": project_id,
            "work_item_id": work_item_id,
            "delta_ms": delta_ms,
            "state": NOT_SENT.state.value,
            "reason": NOT_SENT.reason,
            "detail": NOT_SENT.detail,
            "created_at": now,
            "updated_at": now,
        },
    )


def owe_all(tx: sa.Connection, tenant_id: int, entry: TimeEntry, *, now: dt.datetime) -> None:
    """Writes down that the whole time of an entry is owed."""
    item = (entry.work_item.project_id, entry.work_item.work_item_id)
    owe(tx, tenant_id, entry, version=entry.version, on=item, delta_ms=entry.elapsed_ms, now=now)


def owed(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> dict[tuple[int, int], int]:
    """Milliseconds that an entry has owed so far, paid or not, by project and work item."""
    rows = tx.execute(_OWED, {"tenant": tenant_id, "entry": entry_id})
    return {(row.project_id, row.work_item_id): int(row.owed_ms) for row in rows}


def debts(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> list[Debt]:
    """Everything an entry owes or owed, the oldest first."""
    return [_debt(row) for row in tx.execute(_DEBTS, {"tenant": tenant_id, "entry": entry_id})]


def owner(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> int | None:
    """Whose entry it is that owes or owed hours, also when it is deleted; None for one that never did."""
    user_id: int | None = tx.execute(_OWNER, {"tenant": tenant_id, "entry": entry_id}).scalar_one_or_none()
    return user_id


def standings(tx: sa.Connection, tenant_id: int, entry_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Standing]:
    """How far the hours of each entry are; entries that owe nothing are left out."""
    found: dict[uuid.UUID, list[Standing]] = defaultdict(list)
    for row in tx.execute(_STATES, {"tenant": tenant_id, "entries": list(entry_ids)}):
        found[row.entry_id].append(Standing(WriteBack(row.state), row.reason, row.detail))
    return {entry_id: worst(standings) for entry_id, standings in found.items()}


def claim(tx: sa.Connection, tenant_id: int, debt: Debt, *, now: dt.datetime, until: dt.datetime) -> Debt | None:
    """Takes a debt to work on until an instant, as it is now; None when it is paid, or somebody else works on it."""
    if tx.execute(_CLAIM, {"tenant": tenant_id, "debt": debt.id, "now": now, "until": until}).rowcount == 0:
        return None
    rows = debts(tx, tenant_id, debt.entry_id)
    return next(replace(row, claimed_until=until) for row in rows if row.id == debt.id)


def pin(tx: sa.Connection, tenant_id: int, debt: Debt, attempt: Attempt) -> Debt | None:
    """Writes down what is about to be sent; None when the claim was lost."""
    values = {"revision": attempt.revision, "before": attempt.before, "after": attempt.after}
    done = tx.execute(_PIN, {**_mine(tenant_id, debt), **values}).rowcount == 1
    return replace(debt, attempt=attempt) if done else None


def end(tx: sa.Connection, tenant_id: int, debt: Debt, outcome: Standing, *, now: dt.datetime) -> None:
    """Gives the claim back with what came of it; nothing happens when it was lost."""
    told = {"new_state": outcome.state.value, "new_reason": outcome.reason, "new_detail": outcome.detail, "at": now}
    tx.execute(_END, {**_mine(tenant_id, debt), **told})


def _mine(tenant_id: int, debt: Debt) -> dict[str, Any]:
    return {"tenant": tenant_id, "debt": debt.id, "until": debt.claimed_until}


def _debt(row: sa.Row[Any]) -> Debt:
    attempt = None
    if row.pinned_revision is not None:
        attempt = Attempt(row.pinned_revision, row.hours_before, row.hours_after)
    return Debt(
        id=row.public_id,
        entry_id=row.entry_id,
        work_item=WorkItem(row.organization_id, row.project_id, row.organization, row.project, row.work_item_id),
        delta_ms=row.delta_ms,
        state=WriteBack(row.state),
        attempt=attempt,
        claimed_until=row.claimed_until,
    )
