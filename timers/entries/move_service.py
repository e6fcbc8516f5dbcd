"""Moves the entries of an unclaimed invitation to its person: each in a new version, with an event in the timer log."""

from dataclasses import replace
from typing import Final

from shared.work import Work
from timers import store
from timers.entries import move_store
from timers.model import EventKind, TimerEvent


_REASON: Final = "The invitation was merged into its person."


def move_entries(work: Work, owner: int, *, to: int) -> int:
    """Moves all entries of a user to another one; returns their number. Times, days and write-backs stay.

    Earlier events in the log stay with the previous owner.
    """
    moved = 0
    while entries := move_store.lock_batch(work.tx, work.tenant.id, owner):
        move_store.set_owner(work.tx, work.tenant.id, entries, to=to, now=work.now)
        versions = ((old, replace(old, user_id=to, version=old.version + 1)) for old in entries)
        events = [
            TimerEvent.of(work, EventKind.CORRECTED, before=old, after=new, reason=_REASON) for old, new in versions
        ]
        store.append_events(work.tx, work.tenant.id, events)
        moved += len(entries)
    return moved


def move_left_behind(work: Work) -> int:
    """Moves entries that were added to an invitation while it was being merged; returns their number."""
    left_behind = move_store.find_left_behind(work.tx, work.tenant.id)
    return sum(move_entries(work, owner, to=person) for owner, person in left_behind)
