"""Records writes that landed before a restore and are missing in the restored database."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import write_back_attempts, write_back_items
from timers.write_back.item_store import ADD_ATTEMPT, CLAIMED, ITEM_FOR_UPDATE, Claim, ClaimedItem, to_item
from timers.write_back.model import Attempt, AttemptState


_items, _attempts = write_back_items.c, write_back_attempts.c
_KNOWN: Final = sa.select(_attempts.number, _attempts.revision, _attempts.state).where(
    _attempts.tenant_id == bindparam("tenant"), _attempts.item_id == bindparam("item")
)
_ADOPT: Final = (
    write_back_items.update()
    .where(*CLAIMED)
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


def adopt(
    tx: sa.Connection, claim: Claim, attempts: Iterable[Attempt], *, epoch: int, now: dt.datetime
) -> ClaimedItem | None:
    """Adds landed attempts with unknown revisions to the item's balance, and marks its history as checked.

    Returns None when the claim is lost.
    """
    row = tx.execute(ITEM_FOR_UPDATE, claim.key).first()
    if row is None:
        return None
    known = tx.execute(_KNOWN, {"tenant": claim.tenant_id, "item": row.id}).all()
    landed = {each.revision for each in known if each.state == AttemptState.LANDED.value}
    taken, last = {each.number for each in known}, row.last_attempt
    balance, revision, seen = to_item(row).balance, row.last_revision, row.last_seen
    for each in attempts:
        if each.revision in landed:
            continue
        number = each.number if each.number not in taken else max(last, *taken) + 1
        attempt = replace(each, number=number)
        ADD_ATTEMPT.run(tx, _values(claim, row.id, attempt, now))
        balance = balance.after(attempt, attempt.difference)
        revision, seen, last = attempt.revision + 1, attempt.after, max(last, number)
        taken.add(number)
    short = balance.short
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
    tx.execute(_ADOPT, {**claim.key, **values})
    return to_item(tx.execute(ITEM_FOR_UPDATE, claim.key).one())


def _values(claim: Claim, item_id: int, attempt: Attempt, now: dt.datetime) -> dict[str, Any]:
    return {
        "tenant_id": claim.tenant_id,
        "item_id": item_id,
        "number": attempt.number,
        "revision": attempt.revision,
        "hours_before": attempt.before,
        "hours_after": attempt.after,
        "remaining_before": None,
        "remaining_after": None,
        "short_after": attempt.short_after,
        "batch": attempt.batch,
        "state": AttemptState.LANDED.value,
        "created_at": now,
    }
