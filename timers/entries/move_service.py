"""Moves the time of an account that nobody claimed to its person: each entry in a new version, and in the log."""

import datetime as dt
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from timers import store
from timers.entries import move_store
from timers.model import EventKind, TimerEvent


_REASON: Final = "The invitation was merged into its person."


def move_entries(
    tx: sa.Connection, tenant_id: int, owner: int, *, to: int, actor_id: int | None, now: dt.datetime
) -> int:
    """How many entries it moved; `actor_id` is None for the service. Their times, days and write-backs stay.

    The log is added to: what it has of them so far stays under the account that had them then.
    """
    moved = 0
    while entries := move_store.hold_some(tx, tenant_id, owner):
        move_store.give(tx, tenant_id, entries, to=to, now=now)
        events = []
        for old in entries:
            new = replace(old, user_id=to, version=old.version + 1)
            events.append(
                TimerEvent(
                    EventKind.CORRECTED,
                    new.id,
                    to,
                    actor_id,
                    new.work_item,
                    happened_at=now,
                    received_at=now,
                    entry_version=new.version,
                    elapsed_ms=new.elapsed_ms,
                    reason=_REASON,
                    before=old,
                    after=new,
                )
            )
        store.log_all(tx, tenant_id, events)
        moved += len(entries)
    return moved


def move_left_behind(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> int:
    """Moves what was added to an account in the moment in which it was merged."""
    return sum(
        move_entries(tx, tenant_id, owner, to=person, actor_id=None, now=now)
        for owner, person in move_store.left_behind(tx, tenant_id)
    )
