"""Looks through a work item's history for writes of ours that a restored database has forgotten."""

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.restore.model import Installation
from timers.azure_devops.client import AzureDevOpsSession
from timers.azure_devops.model import Update
from timers.write_back.item_store import Item, Turn
from timers.write_back.model import Attempt, to_places


_MOST: Final = 200  # updates that are read at either end of a history
_CLOCKS_DIFFER: Final = dt.timedelta(minutes=10)  # Azure DevOps' and ours
# Whoever enters again what was lost does so by then; items that are new later have nothing that was forgotten.
_LOOKED_FOR: Final = dt.timedelta(days=30)
_ZERO: Final = Decimal(0)


class NotVerified(Exception):
    """The history is too long to tell whether it has writes that nobody here knows of."""


@dataclass(frozen=True, slots=True)
class History:
    """The history of one work item, as the next caller's token shows it."""

    azure: AzureDevOpsSession
    turn: Turn
    installation: Installation

    def forgotten(self, item: Item) -> list[Attempt]:
        """The writes with the item's mark after the newest one that is known, as attempts that have landed.

        Raises:
            NotVerified: there are more than 200 updates, and those of the time that was lost are not all among the
                newest 200 either.
            AzureDevOpsError: it cannot be read now.
        """
        number, known = self.turn.place.number, item.last_revision or 0
        updates, is_whole = self.azure.updates(number, skip=known, most=_MOST)
        if not is_whole:
            updates = [*updates, *self._newest(item, max(known, updates[-1].rev if updates else 0))]
        mark = re.compile(rf"\({self.turn.public_id.hex}-(\d{{1,9}})\)")
        seen = {update.rev: update for update in updates if update.rev > known}
        found = ((mark.search(update.history or ""), update) for _, update in sorted(seen.items()))
        return [_landed(int(match[1]), update) for match, update in found if match is not None]

    def _newest(self, item: Item, read_to: int) -> list[Update]:
        """The last updates, where they reach back to what is read already or to before what was lost."""
        restored_to = self.installation.restored_to
        number = self.turn.place.number
        skip = max(0, self.azure.work_item(number).rev - _MOST)  # each revision has an update at least
        updates, is_whole = self.azure.updates(number, skip=skip, most=2 * _MOST)  # links have updates of their own
        if not is_whole or not updates:
            raise NotVerified
        oldest = updates[0]
        if oldest.rev <= read_to + 1:
            return updates
        is_of_last_restore = item.checked_epoch == self.installation.mark.epoch - 1
        if not is_of_last_restore or restored_to is None or oldest.changed_at is None:
            raise NotVerified
        if oldest.changed_at > restored_to - _CLOCKS_DIFFER:
            raise NotVerified
        return updates


def first_epoch(installation: Installation, now: dt.datetime) -> int:
    """Up to which epoch the history of an item that is new here needs no look: it may be new by the restore."""
    epoch, accepted_at = installation.mark.epoch, installation.accepted_at
    if epoch == 0 or accepted_at is None or now - accepted_at > _LOOKED_FOR:
        return epoch
    return epoch - 1


def _landed(number: int, update: Update) -> Attempt:
    before, after = (to_places(hours or _ZERO) for hours in (update.hours_before, update.hours_after))
    return Attempt(number, update.rev - 1, before, after, short_after=_ZERO, batch=0)
