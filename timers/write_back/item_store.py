"""The work items of the write-back: their claim, target and attempts.

Every UPDATE of an item has the claim's id in its condition, so a process that has lost the claim changes nothing.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, write_back_attempts, write_back_changes, write_back_items
from shared.db.statements import InsertIfAbsent, for_update
from timers.write_back.model import Attempt, AttemptState, Balance, Remaining, WriteBack
from timers.write_back.store import IS_OPEN, OF_ITEM


_items, _changes, _attempts = write_back_items.c, write_back_changes.c, write_back_attempts.c


@dataclass(frozen=True, slots=True)
class WorkItemRef:
    """A work item by its organization and number; `is_active` is the organization's."""

    organization_id: int
    organization: str
    is_active: bool
    number: int


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """The row of a claimed work item."""

    id: int
    balance: Balance
    last_batch: int
    settled_batch: int
    short: Decimal  # as stored, for lists
    short_batch: int | None
    last_attempt: int
    remaining_taken: Decimal
    last_revision: int | None
    checked_epoch: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a claim. `settles` if all hours are in the field, or the short ones are recorded."""

    state: WriteBack
    reason: str | None = None
    settles: bool = False


_PENDING_ITEMS: Final[sa.Select[Any]] = (
    sa.select(organizations.c.id, organizations.c.name, organizations.c.is_active, _changes.work_item_id)
    .distinct()
    .select_from(write_back_changes)
    .join(
        organizations,
        sa.and_(organizations.c.tenant_id == _changes.tenant_id, organizations.c.id == _changes.organization_id),
    )
    .outerjoin(write_back_items, OF_ITEM)
    .where(_changes.tenant_id == bindparam("tenant"), _changes.entry_id == bindparam("entry"), IS_OPEN)
    .order_by(organizations.c.id, _changes.work_item_id)
)
_ITEM: Final = (
    _items.tenant_id == bindparam("tenant"),
    _items.organization_id == bindparam("organization"),
    _items.work_item_id == bindparam("number"),
)
_until = bindparam("until", type_=_items.claimed_until.type)
_now = bindparam("now", type_=_items.updated_at.type)
_claim = bindparam("claim", type_=_items.claim_id.type)
_ACQUIRE: Final = (
    write_back_items.update()
    .where(*_ITEM, sa.or_(_items.claim_id.is_(None), _items.claimed_until <= _now, _items.claim_id == _claim))
    .values(claim_id=_claim, claimed_until=_until)
)
_INSERT: Final = InsertIfAbsent(
    write_back_items,
    key=("tenant_id", "organization_id", "work_item_id"),
    columns=(
        "tenant_id",
        "organization_id",
        "work_item_id",
        "public_id",
        "target_ms",
        "written",
        "lowest",
        "short",
        "last_batch",
        "settled_batch",
        "last_attempt",
        "remaining_taken",
        "checked_epoch",
        "state",
        "claim_id",
        "claimed_until",
        "updated_at",
    ),
)
CLAIMED: Final = (*_ITEM, _items.claim_id == _claim)
ITEM_FOR_UPDATE: Final = for_update(sa.select(write_back_items).where(*CLAIMED), write_back_items)
_batch = bindparam("new_batch", type_=_changes.batch.type)
_CHANGES_OF_ITEM: Final = (
    _changes.tenant_id == bindparam("tenant"),
    _changes.organization_id == bindparam("organization"),
    _changes.work_item_id == bindparam("number"),
)
_SET_BATCH: Final = (
    write_back_changes.update()
    .where(*_CHANGES_OF_ITEM, _changes.batch.is_(None), _changes.held == sa.false())
    .values(batch=_batch)
)
_SUM_OF_BATCH: Final[sa.Select[Any]] = sa.select(
    sa.func.coalesce(sa.func.sum(_changes.delta_ms, type_=sa.BigInteger), 0)
).where(*_CHANGES_OF_ITEM, _changes.batch == _batch)
_SET_TARGET: Final = (
    write_back_items.update()
    .where(*CLAIMED)
    .values(
        target_ms=bindparam("new_target"),
        last_batch=_batch,
        state=WriteBack.PENDING.value,
        reason="not_sent",
        updated_at=_now,
    )
)
_OPEN_ATTEMPTS: Final[sa.Select[Any]] = (
    sa.select(write_back_attempts)
    .where(
        _attempts.tenant_id == bindparam("tenant"),
        _attempts.item_id == bindparam("item"),
        _attempts.state == AttemptState.OPEN.value,
    )
    .order_by(_attempts.number)
)
_SET_LAST_ATTEMPT: Final = write_back_items.update().where(*CLAIMED).values(last_attempt=bindparam("attempt"))
ADD_ATTEMPT: Final = InsertIfAbsent(
    write_back_attempts,
    key=("tenant_id", "item_id", "number"),
    columns=(
        "tenant_id",
        "item_id",
        "number",
        "revision",
        "hours_before",
        "hours_after",
        "remaining_before",
        "remaining_after",
        "short_after",
        "batch",
        "state",
        "created_at",
    ),
)
_OPEN_ATTEMPT: Final = (
    _attempts.tenant_id == bindparam("tenant"),
    _attempts.item_id == bindparam("item"),
    _attempts.number == bindparam("attempt"),
    _attempts.state == AttemptState.OPEN.value,
)
_SET_LANDED: Final = (
    write_back_attempts.update()
    .where(*_OPEN_ATTEMPT)
    .values(state=AttemptState.LANDED.value, hours_after=bindparam("seen", type_=_attempts.hours_after.type))
)
_SET_LOST: Final = write_back_attempts.update().where(*_OPEN_ATTEMPT).values(state=AttemptState.LOST.value)
_SET_WRITTEN: Final = (
    write_back_items.update()
    .where(*CLAIMED)
    .values(
        written=bindparam("new_written", type_=_items.written.type),
        lowest=bindparam("new_lowest", type_=_items.lowest.type),
        short=bindparam("new_short", type_=_items.short.type),
        short_batch=bindparam("new_short_batch"),
        settled_batch=bindparam("new_settled"),
        remaining_taken=bindparam("new_taken", type_=_items.remaining_taken.type),
        last_revision=bindparam("revision"),
        last_seen=bindparam("seen", type_=_items.last_seen.type),
        updated_at=_now,
    )
)
_SET_SHORT: Final = (
    write_back_items.update()
    .where(*CLAIMED)
    .values(
        lowest=bindparam("new_lowest", type_=_items.lowest.type),
        short=bindparam("new_short", type_=_items.short.type),
        short_batch=bindparam("new_short_batch"),
        updated_at=_now,
    )
)
_SET_SETTLED: Final = write_back_items.update().where(*CLAIMED).values(settled_batch=bindparam("new_settled"))
_RELEASE: Final = (
    write_back_items.update()
    .where(*CLAIMED)
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        claim_id=None,
        claimed_until=None,
        updated_at=_now,
    )
)


def find_pending_items(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> list[WorkItemRef]:
    """The work items that some change of an entry is not written to yet."""
    rows = tx.execute(_PENDING_ITEMS, {"tenant": tenant_id, "entry": entry_id})
    return [WorkItemRef(row.id, row.name, row.is_active, row.work_item_id) for row in rows]


@dataclass(frozen=True, slots=True)
class Claim:
    """One process's temporary right to write to a work item."""

    tenant_id: int
    item: WorkItemRef
    public_id: uuid.UUID  # of the item's row; the same also after a restore
    id: uuid.UUID

    def mark(self, attempt: Attempt) -> str:
        """The id of an attempt in the work item's history."""
        return attempt.legacy_mark.hex if attempt.legacy_mark else f"{self.public_id.hex}-{attempt.number}"

    def acquire(self, tx: sa.Connection, *, now: dt.datetime, until: dt.datetime, checked_epoch: int) -> bool:
        """Takes the claim until an instant; False when another process has it. `checked_epoch` is for a new item."""
        if tx.execute(_ACQUIRE, {**self.key, "now": now, "until": until}).rowcount:
            return True
        row = {
            "tenant_id": self.tenant_id,
            "organization_id": self.item.organization_id,
            "work_item_id": self.item.number,
            "public_id": self.public_id,
            "target_ms": 0,
            "written": Decimal(0),
            "lowest": Decimal(0),
            "short": Decimal(0),
            "last_batch": 0,
            "settled_batch": 0,
            "last_attempt": 0,
            "remaining_taken": Decimal(0),
            "checked_epoch": checked_epoch,
            "state": WriteBack.DONE.value,
            "claim_id": self.id,
            "claimed_until": until,
            "updated_at": now,
        }
        return _INSERT.run(tx, row) is not None

    def add_changes_to_target(
        self, tx: sa.Connection, *, settled: int, now: dt.datetime
    ) -> tuple[ClaimedItem, bool] | None:
        """Adds pending changes to the item's target as a batch; batches up to `settled` are in the field.

        Returns the item and whether there were any; None when the claim is lost.

        Locks the item before it reads the changes: a process that commits a change and finds the item claimed can rely
        on the claim's holder to find it.
        """
        row = tx.execute(ITEM_FOR_UPDATE, self.key).first()
        if row is None:
            return None
        if settled > row.settled_batch:
            tx.execute(_SET_SETTLED, {**self.key, "new_settled": settled})
        item, batch = to_item(row), row.last_batch + 1
        if tx.execute(_SET_BATCH, {**self._item_key, "new_batch": batch}).rowcount == 0:
            return item, False
        added_ms = int(tx.execute(_SUM_OF_BATCH, {**self._item_key, "new_batch": batch}).scalar_one())
        target_ms = item.balance.target_ms + added_ms
        tx.execute(_SET_TARGET, {**self.key, "new_target": target_ms, "new_batch": batch, "now": now})
        return to_item(row, target_ms=target_ms, last_batch=batch), True

    def find_open_attempts(self, tx: sa.Connection, item: ClaimedItem) -> list[Attempt]:
        """Attempts whose outcome is unknown, the oldest first."""
        return [_to_attempt(row) for row in tx.execute(_OPEN_ATTEMPTS, {"tenant": self.tenant_id, "item": item.id})]

    def add_attempt(self, tx: sa.Connection, item: ClaimedItem, attempt: Attempt, *, now: dt.datetime) -> bool:
        """Records an attempt before it is sent; False when the claim is lost."""
        if tx.execute(_SET_LAST_ATTEMPT, {**self.key, "attempt": attempt.number}).rowcount == 0:
            return False
        remaining = attempt.remaining
        values = {
            "tenant_id": self.tenant_id,
            "item_id": item.id,
            "number": attempt.number,
            "revision": attempt.revision,
            "hours_before": attempt.before,
            "hours_after": attempt.after,
            "remaining_before": None if remaining is None else remaining.before,
            "remaining_after": None if remaining is None else remaining.after,
            "short_after": attempt.short_after,
            "batch": attempt.batch,
            "state": AttemptState.OPEN.value,
            "created_at": now,
        }
        ADD_ATTEMPT.run(tx, values)
        return True

    def set_landed(
        self, tx: sa.Connection, attempt: Attempt, difference: Decimal, *, now: dt.datetime
    ) -> ClaimedItem | None:
        """Adds a successful attempt to the item's balance, once; None when the claim is lost."""
        row = tx.execute(ITEM_FOR_UPDATE, self.key).first()
        if row is None:
            return None
        seen = attempt.before + difference
        of_attempt = {"tenant": self.tenant_id, "item": row.id, "attempt": attempt.number, "seen": seen}
        if tx.execute(_SET_LANDED, of_attempt).rowcount:
            item, is_legacy = to_item(row), attempt.legacy_mark is not None
            is_complete = difference == attempt.difference and not is_legacy
            balance = item.balance.after(attempt, difference)
            short = balance.short
            taken = attempt.remaining.before - attempt.remaining.after if attempt.remaining else Decimal(0)
            values = {
                "new_written": balance.written,
                "new_lowest": balance.lowest,
                "new_short": short,
                "new_short_batch": (item.short_batch or attempt.batch or item.last_batch) if short else None,
                "new_settled": max(item.settled_batch, attempt.batch) if is_complete else item.settled_batch,
                "new_taken": max(Decimal(0), item.remaining_taken + taken),
                "revision": attempt.revision + 1,
                "seen": seen,
                "now": now,
            }
            tx.execute(_SET_WRITTEN, {**self.key, **values})
        return to_item(tx.execute(ITEM_FOR_UPDATE, self.key).one())

    def set_lost(self, tx: sa.Connection, attempt: Attempt) -> None:
        """Marks an attempt that did not and will not land, unless the claim is lost."""
        row = tx.execute(ITEM_FOR_UPDATE, self.key).first()
        if row is not None:
            tx.execute(_SET_LOST, {"tenant": self.tenant_id, "item": row.id, "attempt": attempt.number})

    def set_short(self, tx: sa.Connection, item: ClaimedItem, *, now: dt.datetime) -> None:
        """Records the hours that could not be subtracted, and the written hours below which nothing is subtracted."""
        short = item.balance.short
        first = (item.short_batch or item.last_batch) if short else None
        values = {"new_lowest": item.balance.lowest, "new_short": short, "new_short_batch": first, "now": now}
        tx.execute(_SET_SHORT, {**self.key, **values})

    def release(self, tx: sa.Connection, outcome: Outcome, *, now: dt.datetime) -> None:
        """Gives the claim back with its outcome; nothing happens when it is lost."""
        values = {"new_state": outcome.state.value, "new_reason": outcome.reason, "now": now}
        tx.execute(_RELEASE, {**self.key, **values})

    @property
    def _item_key(self) -> dict[str, Any]:
        return {"tenant": self.tenant_id, "organization": self.item.organization_id, "number": self.item.number}

    @property
    def key(self) -> dict[str, Any]:
        """The parameters of `CLAIMED`."""
        return {**self._item_key, "claim": self.id}


def to_item(row: Any, *, target_ms: int | None = None, last_batch: int | None = None) -> ClaimedItem:  # noqa: ANN401 - a row
    """The item of a row, with a newer target and batch if they are given."""
    target = row.target_ms if target_ms is None else target_ms
    return ClaimedItem(
        id=row.id,
        balance=Balance(target, row.written, row.lowest, is_migrated=row.migrated is not None),
        last_batch=row.last_batch if last_batch is None else last_batch,
        settled_batch=row.settled_batch,
        short=row.short,
        short_batch=row.short_batch,
        last_attempt=row.last_attempt,
        remaining_taken=row.remaining_taken,
        last_revision=row.last_revision,
        checked_epoch=row.checked_epoch,
    )


def _to_attempt(row: Any) -> Attempt:  # noqa: ANN401 - a row
    remaining = None
    if row.remaining_before is not None:
        remaining = Remaining(row.remaining_before, row.remaining_after)
    return Attempt(
        number=row.number,
        revision=row.revision,
        before=row.hours_before,
        after=row.hours_after,
        short_after=row.short_after,
        batch=row.batch,
        remaining=remaining,
        legacy_mark=row.legacy_mark,
    )
