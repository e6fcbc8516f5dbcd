"""The order of a person's favorites; pure."""

from collections.abc import Sequence
from typing import Final

from shared.errors import Conflict
from timers.picker.model import ItemKey


MAX_FAVORITES: Final = 50  # also a CHECK of the table


def set_position(favorites: Sequence[ItemKey], item: ItemKey, position: int | None) -> list[ItemKey]:
    """The favorites with the item at a position from 1, or at the end if that is beyond it.

    Without a position a favorite stays at its position, and a new one comes last.

    Raises:
        Conflict: `too_many_favorites`.
    """
    if position is None and item in favorites:
        return list(favorites)
    others = remove(favorites, item)
    if len(others) >= MAX_FAVORITES:
        raise Conflict(
            f"You have {MAX_FAVORITES} favorites, the most that are possible. Remove one first.",
            code="too_many_favorites",
        )
    index = len(others) if position is None else position - 1
    return [*others[:index], item, *others[index:]]


def remove(favorites: Sequence[ItemKey], item: ItemKey) -> list[ItemKey]:
    """The favorites without the item, in the same order."""
    return [each for each in favorites if each != item]
