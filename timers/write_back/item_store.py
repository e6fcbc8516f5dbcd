"""The rows of work items in the write-back: whose turn one is, what went into its target, and the attempts to write.

Every statement that changes an item names the claim: whoever's turn has run out and been taken over changes nothing.
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
from timers.write_back.model import Attempt, Balance, Remaining, WriteBack
from timers.write_back.store import IS_OPEN, OF_ITEM


_items, _changes, _attempts = write_back_items.c, write_back_changes.c, write_back_attempts.c


@dataclass(frozen=True, slots=True)
class Place:
    """A work item in its organization."""

    organization_id: int
    organization: str
    is_active: bool
    number: int


@dataclass(frozen=True, slots=True)
class Item:
    """A work item in the write-back, as it is in this turn."""

    id: int
    balance: Balance
    last_batch: int
    settled_batch: int
    short: Decimal  # as the lists have it
    short_batch: int | None
    last_attempt: int
    remaining_taken: Decimal
    last_revision: int | None
    checked_epoch: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ends. Settled is what has all its hours in the field, or tells how many could not be taken."""

    state: WriteBack
    reason: str | None = None
    settles: bool = False


_OPEN_PLACES: Final[sa.Select[Any]] = (
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
_PLACE: Final = (
    _items.tenant_id == bindparam("tenant"),
    _items.organization_id == bindparam("organization"),
    _items.work_item_id == bindparam("number"),
)
_until = bindparam("until", type_=_items.claimed_until.type)
_now = bindparam("now", type_=_items.updated_at.type)
_claim = bindparam("claim", type_=_items.claim_id.type)
_CLAIM: Final = (
    write_back_items.update()
    .where(*_PLACE, sa.or_(_items.claim_id.is_(None), _items.claimed_until <= _now, _items.claim_id == _claim))
    .values(claim_id=_claim, claimed_until=_until)
)
_BEGIN: Final = InsertIfAbsent(
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
MINE: Final = (*_PLACE, _items.claim_id == _claim)
ITEM_HELD: Final = for_update(sa.select(write_back_items).where(*MINE), write_back_items)
_batch = bindparam("new_batch", type_=_changes.batch.type)
_OF_PLACE: Final = (
    _changes.tenant_id == bindparam("tenant"),
    _changes.organization_id == bindparam("organization"),
    _changes.work_item_id == bindparam("number"),
)
_FOLD: Final = (
    write_back_changes.update()
    .where(*_OF_PLACE, _changes.batch.is_(None), _changes.held == sa.false())
    .values(batch=_batch)
)
_FOLDED: Final[sa.Select[Any]] = sa.select(
    sa.func.coalesce(sa.func.sum(_changes.delta_ms, type_=sa.BigInteger), 0)
).where(*_OF_PLACE, _changes.batch == _batch)
_AIM: Final = (
    write_back_items.update()
    .where(*MINE)
    .values(
        target_ms=bindparam("new_target"),
        last_batch=_batch,
        state=WriteBack.PENDING.value,
        reason="not_sent",
        updated_at=_now,
    )
)
_OPEN: Final[sa.Select[Any]] = (
    sa.select(write_back_attempts)
    .where(
        _attempts.tenant_id == bindparam("tenant"), _attempts.item_id == bindparam("item"), _attempts.state == "open"
    )
    .order_by(_attempts.number)
)
_COUNT: Final = write_back_items.update().where(*MINE).values(last_attempt=bindparam("attempt"))
PIN: Final = InsertIfAbsent(
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
_THIS_OPEN: Final = (
    _attempts.tenant_id == bindparam("tenant"),
    _attempts.item_id == bindparam("item"),
    _attempts.number == bindparam("attempt"),
    _attempts.state == "open",
)
_LAND: Final = (
    write_back_attempts.update()
    .where(*_THIS_OPEN)
    .values(state="landed", hours_after=bindparam("seen", type_=_attempts.hours_after.type))
)
_LOSE: Final = write_back_attempts.update().where(*_THIS_OPEN).values(state="lost")
_ADD: Final = (
    write_back_items.update()
    .where(*MINE)
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
_SHORTEN: Final = (
    write_back_items.update()
    .where(*MINE)
    .values(
        lowest=bindparam("new_lowest", type_=_items.lowest.type),
        short=bindparam("new_short", type_=_items.short.type),
        short_batch=bindparam("new_short_batch"),
        updated_at=_now,
    )
)
_SETTLE: Final = write_back_items.update().where(*MINE).values(settled_batch=bindparam("new_settled"))
_END: Final = (
    write_back_items.update()
    .where(*MINE)
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        claim_id=None,
        claimed_until=None,
        updated_at=_now,
    )
)


def open_places(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> list[Place]:
    """The work items that do not have all of an entry's changes yet."""
    rows = tx.execute(_OPEN_PLACES, {"tenant": tenant_id, "entry": entry_id})
    return [Place(row.id, row.name, row.is_active, row.work_item_id) for row in rows]


@dataclass(frozen=True, slots=True)
class Turn:
    """A work item's turn in the write-back: one at a time, for whoever has the claim."""

    tenant_id: int
    place: Place
    public_id: uuid.UUID  # of the item, the same whenever it is made
    claim: uuid.UUID

    def mark(self, attempt: Attempt) -> str:
        """What tells a write from any other in the work item's history."""
        return attempt.legacy_mark.hex if attempt.legacy_mark else f"{self.public_id.hex}-{attempt.number}"

    def begin(self, tx: sa.Connection, *, now: dt.datetime, until: dt.datetime, checked_epoch: int) -> bool:
        """Takes the turn until an instant; False when somebody else has it. `checked_epoch` is a new item's."""
        if tx.execute(_CLAIM, {**self.mine, "now": now, "until": until}).rowcount:
            return True
        fresh = {
            "tenant_id": self.tenant_id,
            "organization_id": self.place.organization_id,
            "work_item_id": self.place.number,
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
            "claim_id": self.claim,
            "claimed_until": until,
            "updated_at": now,
        }
        return _BEGIN.run(tx, fresh) is not None

    def fold(self, tx: sa.Connection, *, settled: int, now: dt.datetime) -> tuple[Item, bool] | None:
        """The item, held, with all changes that were made in its target, and whether any was new; None: not my turn.

        All batches up to `settled` are in the field.

        The item is held before the changes are looked for: who commits a change and finds the turn taken may rely on
        whoever has it to find the change before it ends.
        """
        row = tx.execute(ITEM_HELD, self.mine).first()
        if row is None:
            return None
        if settled > row.settled_batch:
            tx.execute(_SETTLE, {**self.mine, "new_settled": settled})
        item, batch = item_of(row), row.last_batch + 1
        if tx.execute(_FOLD, {**self._of_place, "new_batch": batch}).rowcount == 0:
            return item, False
        added_ms = int(tx.execute(_FOLDED, {**self._of_place, "new_batch": batch}).scalar_one())
        target_ms = item.balance.target_ms + added_ms
        tx.execute(_AIM, {**self.mine, "new_target": target_ms, "new_batch": batch, "now": now})
        return item_of(row, target_ms=target_ms, last_batch=batch), True

    def open_attempts(self, tx: sa.Connection, item: Item) -> list[Attempt]:
        """Writes whose outcome nobody knows, the oldest first."""
        return [_attempt(row) for row in tx.execute(_OPEN, {"tenant": self.tenant_id, "item": item.id})]

    def pin(self, tx: sa.Connection, item: Item, attempt: Attempt, *, now: dt.datetime) -> bool:
        """Writes down what is about to be sent; False when it is not my turn any more."""
        if tx.execute(_COUNT, {**self.mine, "attempt": attempt.number}).rowcount == 0:
            return False
        values = {
            "tenant_id": self.tenant_id,
            "item_id": item.id,
            "number": attempt.number,
            "revision": attempt.revision,
            "hours_before": attempt.before,
            "hours_after": attempt.after,
            "remaining_before": None if attempt.remaining is None else attempt.remaining.before,
            "remaining_after": None if attempt.remaining is None else attempt.remaining.after,
            "short_after": attempt.short_after,
            "batch": attempt.batch,
            "state": "open",
            "created_at": now,
        }
        PIN.run(tx, values)
        return True

    def land(self, tx: sa.Connection, attempt: Attempt, moved: Decimal, *, now: dt.datetime) -> Item | None:
        """Counts a write that landed, once; None when it is not my turn any more."""
        row = tx.execute(ITEM_HELD, self.mine).first()
        if row is None:
            return None
        seen = attempt.before + moved
        of_attempt = {"tenant": self.tenant_id, "item": row.id, "attempt": attempt.number, "seen": seen}
        if tx.execute(_LAND, of_attempt).rowcount:
            item, is_legacy = item_of(row), attempt.legacy_mark is not None
            as_sent = moved == attempt.moves
            whole = as_sent and not is_legacy
            balance = item.balance.landed(attempt, moved)
            short = balance.missing
            taken = attempt.remaining.before - attempt.remaining.after if attempt.remaining else Decimal(0)
            values = {
                "new_written": balance.written,
                "new_lowest": balance.lowest,
                "new_short": short,
                "new_short_batch": (item.short_batch or attempt.batch or item.last_batch) if short else None,
                "new_settled": max(item.settled_batch, attempt.batch) if whole else item.settled_batch,
                "new_taken": max(Decimal(0), item.remaining_taken + taken),
                "revision": attempt.revision + 1,
                "seen": seen,
                "now": now,
            }
            tx.execute(_ADD, {**self.mine, **values})
        return item_of(tx.execute(ITEM_HELD, self.mine).one())

    def lose(self, tx: sa.Connection, attempt: Attempt) -> None:
        """Has a write that did not and will not land out of the way, if it is still my turn."""
        row = tx.execute(ITEM_HELD, self.mine).first()
        if row is not None:
            tx.execute(_LOSE, {"tenant": self.tenant_id, "item": row.id, "attempt": attempt.number})

    def fall_short(self, tx: sa.Connection, item: Item, *, now: dt.datetime) -> None:
        """Writes down how many hours could not be taken in all, and below what nothing is taken."""
        short = item.balance.missing
        first = (item.short_batch or item.last_batch) if short else None
        values = {"new_lowest": item.balance.lowest, "new_short": short, "new_short_batch": first, "now": now}
        tx.execute(_SHORTEN, {**self.mine, **values})

    def end(self, tx: sa.Connection, outcome: Outcome, *, now: dt.datetime) -> None:
        """Gives the turn back with what came of it; nothing happens when it was lost."""
        values = {"new_state": outcome.state.value, "new_reason": outcome.reason, "now": now}
        tx.execute(_END, {**self.mine, **values})

    @property
    def _of_place(self) -> dict[str, Any]:
        return {"tenant": self.tenant_id, "organization": self.place.organization_id, "number": self.place.number}

    @property
    def mine(self) -> dict[str, Any]:
        """The item, as the one that this turn is of."""
        return {**self._of_place, "claim": self.claim}


def item_of(row: Any, *, target_ms: int | None = None, last_batch: int | None = None) -> Item:  # noqa: ANN401 - a row
    """The item of a row; what was folded just now is not in it."""
    target = row.target_ms if target_ms is None else target_ms
    return Item(
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


def _attempt(row: Any) -> Attempt:  # noqa: ANN401 - a row
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
