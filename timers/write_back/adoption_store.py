"""Puts writes on record that landed and that a restored database had forgotten."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import write_back_attempts, write_back_items
from timers.write_back.item_store import ITEM_HELD, MINE, PIN, Item, Turn, item_of
from timers.write_back.model import Attempt


_items, _attempts = write_back_items.c, write_back_attempts.c
_KNOWN: Final = sa.select(_attempts.number, _attempts.revision, _attempts.state).where(
    _attempts.tenant_id == bindparam("tenant"), _attempts.item_id == bindparam("item")
)
_ADOPT: Final = (
    write_back_items.update()
    .where(*MINE)
    .values(
        written=bindparam("new_written", type_=_items.written.type),
        lowest=bindparam("new_lowest", type_=_items.lowest.type),
        short=bindparam("new_short", type_=_items.short.type),
        short_batch=bindparam("new_short_batch"),
        last_attempt=bindparam("attempt"),
        last_revision=bindparam("revision"),
        last_seen=bindparam("seen", type_=_items.last_seen.type),
        checked_epoch=bindparam("epoch"),
        updated_at=bindparam("now", type_=_items.updated_at.type),
    )
)


def adopt(tx: sa.Connection, turn: Turn, found: Iterable[Attempt], *, epoch: int, now: dt.datetime) -> Item | None:
    """Counts writes that landed and are not known by their revision, and notes that the item was looked through.

    Returns None when it is not this turn any more.
    """
    row = tx.execute(ITEM_HELD, turn.mine).first()
    if row is None:
        return None
    known = tx.execute(_KNOWN, {"tenant": turn.tenant_id, "item": row.id}).all()
    landed = {each.revision for each in known if each.state == "landed"}
    taken, last = {each.number for each in known}, row.last_attempt
    balance, revision, seen = item_of(row).balance, row.last_revision, row.last_seen
    for each in found:
        if each.revision in landed:
            continue
        number = each.number if each.number not in taken else max(last, *taken) + 1
        attempt = replace(each, number=number)
        PIN.run(tx, _values(turn, row.id, attempt, now))
        balance = balance.landed(attempt, attempt.moves)
        revision, seen, last = attempt.revision + 1, attempt.after, max(last, number)
        taken.add(number)
    short = balance.missing
    values = {
        "new_written": balance.written,
        "new_lowest": balance.lowest,
        "new_short": short,
        "new_short_batch": (row.short_batch or row.last_batch) if short else None,
        "attempt": last,
        "revision": revision,
        "seen": seen,
        "epoch": epoch,
        "now": now,
    }
    tx.execute(_ADOPT, {**turn.mine, **values})
    return item_of(tx.execute(ITEM_HELD, turn.mine).one())


def _values(turn: Turn, item_id: int, attempt: Attempt, now: dt.datetime) -> dict[str, Any]:
    return {
        "tenant_id": turn.tenant_id,
        "item_id": item_id,
        "number": attempt.number,
        "revision": attempt.revision,
        "hours_before": attempt.before,
        "hours_after": attempt.after,
        "remaining_before": None,
        "remaining_after": None,
        "short_after": attempt.short_after,
        "batch": attempt.batch,
        "state": "landed",
        "created_at": now,
    }
