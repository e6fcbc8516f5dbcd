"""The installation's row, and the outbox of privacy changes for the mark table."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import installation, restore_changes, tenants
from shared.db.statements import InsertIfAbsent
from shared.restore.model import HeldReason, Installation, Mark, PrivacyChange, PrivacyChangeKind


_i, _c = installation.c, restore_changes.c
_THIS: Final = _i.id == 1
_FIRST: Final = Mark(-1, 0)  # earlier than that of any database
_epoch, _number = bindparam("stored_epoch", type_=_i.epoch.type), bindparam("stored_number", type_=_i.mark.type)
_now = bindparam("now", type_=_i.moved_at.type)
_IS_BEHIND: Final = sa.or_(_i.epoch < _epoch, sa.and_(_i.epoch == _epoch, _i.mark < _number))
_READ: Final = sa.select(installation).where(_THIS)
_RAISE: Final = installation.update().where(_THIS).values(mark=_i.mark + 1, moved_at=_now)
_RAISE_UNLESS_HELD: Final = _RAISE.where(_i.held_since.is_(None), sa.not_(_IS_BEHIND))
_HOLD: Final = (
    installation.update()
    .where(_THIS, _i.held_since.is_(None), _IS_BEHIND)
    .values(held_since=_now, held_reason=HeldReason.BEHIND.value)
)
_BEGIN: Final = (
    installation.update()
    .where(_THIS, sa.or_(_i.held_reason.is_(None), _i.held_reason != HeldReason.BEGUN.value))
    .values(held_since=sa.func.coalesce(_i.held_since, _now), held_reason=HeldReason.BEGUN.value)
)
_ACCEPT: Final = (
    installation.update()
    .where(_THIS, _i.held_reason == HeldReason.BEGUN.value)
    .values(
        epoch=bindparam("new_epoch", type_=_i.epoch.type),
        held_since=None,
        held_reason=None,
        restored_to=bindparam("restored_to", type_=_i.restored_to.type),
        accepted_at=_now,
    )
)
_BATCH: Final = 500
_COLUMNS: Final = ("tenant_id", "public_id", "kind", "subject_id", "in_force", "at")
_ADD: Final = InsertIfAbsent(restore_changes, key=("tenant_id", "kind", "public_id"), columns=_COLUMNS)
_PENDING: Final[sa.Select[Any]] = (
    sa.select(restore_changes, tenants.c.public_id.label("tenant"))
    .join(tenants, tenants.c.id == _c.tenant_id)
    .where(_c.id > bindparam("after", type_=sa.BigInteger))
    .order_by(_c.id)
    .limit(_BATCH)
)
_REMOVE: Final = restore_changes.delete().where(_c.id.in_(bindparam("rows", expanding=True)))


def read(tx: sa.Connection) -> Installation:
    row = tx.execute(_READ).one()
    return Installation(
        public_id=row.public_id,
        mark=Mark(row.epoch, row.mark),
        moved_at=row.moved_at,
        held_since=row.held_since,
        held_reason=None if row.held_reason is None else HeldReason(row.held_reason),
        restored_to=row.restored_to,
        accepted_at=row.accepted_at,
    )


def raise_unless_held(tx: sa.Connection, stored: Mark | None, *, now: dt.datetime) -> Installation:
    """Raises the mark, or holds a database that is behind the stored mark; returns the new row."""
    if tx.execute(_RAISE_UNLESS_HELD, {**_parameters(stored), "now": now}).rowcount == 0:
        return hold_if_behind(tx, stored, now=now)
    return read(tx)


def raise_mark(tx: sa.Connection, *, now: dt.datetime) -> Installation:
    """Raises the mark after an action, also of a database that was held meanwhile."""
    tx.execute(_RAISE, {"now": now})
    return read(tx)


def hold_if_behind(tx: sa.Connection, stored: Mark | None, *, now: dt.datetime) -> Installation:
    tx.execute(_HOLD, {**_parameters(stored), "now": now})
    return read(tx)


def begin(tx: sa.Connection, *, now: dt.datetime) -> bool:
    """Holds the database for an operator; False if that was done before."""
    return tx.execute(_BEGIN, {"now": now}).rowcount == 1


def accept(tx: sa.Connection, epoch: int, *, restored_to: dt.datetime | None, now: dt.datetime) -> bool:
    """Ends an operator's hold with a new epoch; False without one."""
    return tx.execute(_ACCEPT, {"new_epoch": epoch, "restored_to": restored_to, "now": now}).rowcount == 1


def add_change(
    tx: sa.Connection,
    tenant_id: int,
    kind: PrivacyChangeKind,
    subject: uuid.UUID,
    *,
    public_id: uuid.UUID,
    in_force: bool,
    at: dt.datetime,
) -> None:
    """Adds a change of this transaction to the outbox; once per id."""
    values = {"tenant_id": tenant_id, "public_id": public_id, "kind": kind.value, "subject_id": subject}
    _ADD.run(tx, {**values, "in_force": in_force, "at": at})


def list_pending_changes(tx: sa.Connection, *, after: int = 0) -> list[tuple[int, PrivacyChange]]:
    """The next changes that are not copied outside yet, with their row ids, the oldest first."""
    return [
        (
            row.id,
            PrivacyChange(row.public_id, PrivacyChangeKind(row.kind), row.tenant, row.subject_id, row.in_force, row.at),
        )
        for row in tx.execute(_PENDING, {"after": after})
    ]


def remove_changes(tx: sa.Connection, rows: Sequence[int]) -> None:
    tx.execute(_REMOVE, {"rows": list(rows)})


def _parameters(stored: Mark | None) -> dict[str, int]:
    mark = stored or _FIRST
    return {"stored_epoch": mark.epoch, "stored_number": mark.number}
