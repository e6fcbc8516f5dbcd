"""The installation's row and the outbox of changes for the store outside."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import installation, restore_changes, tenants
from shared.db.statements import InsertIfAbsent
from shared.restore.model import Change, ChangeKind, HeldReason, Installation, Mark


_i, _c = installation.c, restore_changes.c
_THIS: Final = _i.id == 1
_FIRST: Final = Mark(-1, 0)  # before every database's
_epoch, _number = bindparam("outside_epoch", type_=_i.epoch.type), bindparam("outside_number", type_=_i.mark.type)
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
_MOST: Final = 500
_COLUMNS: Final = ("tenant_id", "public_id", "kind", "subject_id", "in_force", "at")
_ADD: Final = InsertIfAbsent(restore_changes, key=("tenant_id", "kind", "public_id"), columns=_COLUMNS)
_WAITING: Final[sa.Select[Any]] = (
    sa.select(restore_changes, tenants.c.public_id.label("tenant"))
    .join(tenants, tenants.c.id == _c.tenant_id)
    .where(_c.id > bindparam("after", type_=sa.BigInteger))
    .order_by(_c.id)
    .limit(_MOST)
)
_REMOVE: Final = restore_changes.delete().where(_c.id.in_(bindparam("rows", expanding=True)))


def read(tx: sa.Connection) -> Installation:
    row = tx.execute(_READ).one()
    return Installation(
        public_id=row.public_id,
        at=Mark(row.epoch, row.mark),
        moved_at=row.moved_at,
        held_since=row.held_since,
        held_reason=None if row.held_reason is None else HeldReason(row.held_reason),
        restored_to=row.restored_to,
        accepted_at=row.accepted_at,
    )


def raise_unless_held(tx: sa.Connection, outside: Mark | None, *, now: dt.datetime) -> Installation:
    """Raises the mark, but holds what is behind the mark outside; the row as it is then."""
    if tx.execute(_RAISE_UNLESS_HELD, {**_than(outside), "now": now}).rowcount == 0:
        return hold_if_behind(tx, outside, now=now)
    return read(tx)


def raise_mark(tx: sa.Connection, *, now: dt.datetime) -> Installation:
    """Raises the mark after something was done, also when it is held by now."""
    tx.execute(_RAISE, {"now": now})
    return read(tx)


def hold_if_behind(tx: sa.Connection, outside: Mark | None, *, now: dt.datetime) -> Installation:
    tx.execute(_HOLD, {**_than(outside), "now": now})
    return read(tx)


def begin(tx: sa.Connection, *, now: dt.datetime) -> bool:
    """Holds by an operator's word; False when one has said so before."""
    return tx.execute(_BEGIN, {"now": now}).rowcount == 1


def accept(tx: sa.Connection, epoch: int, *, restored_to: dt.datetime | None, now: dt.datetime) -> bool:
    """Ends what an operator has begun, in a new epoch; False when nothing is begun."""
    return tx.execute(_ACCEPT, {"new_epoch": epoch, "restored_to": restored_to, "now": now}).rowcount == 1


def add_change(
    tx: sa.Connection,
    tenant_id: int,
    kind: ChangeKind,
    subject: uuid.UUID,
    *,
    public_id: uuid.UUID,
    in_force: bool,
    at: dt.datetime,
) -> None:
    """Has the store outside be told, after the commit, of what is changed in this transaction; once for an id."""
    values = {"tenant_id": tenant_id, "public_id": public_id, "kind": kind.value, "subject_id": subject}
    _ADD.run(tx, {**values, "in_force": in_force, "at": at})


def changes_waiting(tx: sa.Connection, *, after: int = 0) -> list[tuple[int, Change]]:
    """The next changes that the store outside was not told of, by their rows, the oldest first."""
    return [
        (
            row.id,
            Change(row.public_id, ChangeKind(row.kind), row.tenant, row.subject_id, row.in_force, row.at),
        )
        for row in tx.execute(_WAITING, {"after": after})
    ]


def remove_changes(tx: sa.Connection, rows: Sequence[int]) -> None:
    tx.execute(_REMOVE, {"rows": list(rows)})


def _than(outside: Mark | None) -> dict[str, int]:
    compared = outside or _FIRST
    return {"outside_epoch": compared.epoch, "outside_number": compared.number}
