"""Adds, moves and removes the favorites of the caller, whose row is locked."""

from shared.tenancy.model import User
from shared.tenancy.rules import require_processing
from shared.work import Work
from timers.picker import favorite_rules
from timers.picker import favorite_store as store
from timers.picker.model import ItemKey


def set_position(work: Work, user: User, item: ItemKey, position: int | None) -> None:
    """Makes the item a favorite at a position from 1; without one a new favorite comes last.

    Raises:
        Forbidden: processing of the person's data is stopped.
        Conflict: `too_many_favorites`.
    """
    require_processing(user)
    before = store.read_keys(work.tx, work.tenant.id, user.id)
    after = favorite_rules.set_position(before, item, position)
    if after != before:
        store.replace(work.tx, work.tenant.id, user.id, after)


def remove(work: Work, user: User, item: ItemKey) -> None:
    """Removes a favorite; the later ones move up. Without it nothing happens."""
    before = store.read_keys(work.tx, work.tenant.id, user.id)
    after = favorite_rules.remove(before, item)
    if after != before:
        store.replace(work.tx, work.tenant.id, user.id, after)
