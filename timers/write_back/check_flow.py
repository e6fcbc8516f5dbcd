"""Finds attempts in a work item's history that are missing in a restored database."""

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.restore.model import Installation
from timers.azure_devops.client import AzureDevOpsSession
from timers.azure_devops.model import Update
from timers.write_back.item_store import Claim, ClaimedItem
from timers.write_back.model import Attempt, to_places


_MAX_UPDATES: Final = 200  # read at each end of a history
_MAX_SKEW: Final = dt.timedelta(minutes=10)  # between the clock of Azure DevOps and ours
# People enter lost time again within this time; items that are new later were not written before the restore.
_CHECK_NEW_ITEMS_FOR: Final = dt.timedelta(days=30)
_ZERO: Final = Decimal(0)


class NotVerified(Exception):
    """The history is too long to tell whether it has unknown attempts."""


@dataclass(frozen=True, slots=True)
class History:
    """The history of one work item, read with the caller's token."""

    session: AzureDevOpsSession
    claim: Claim
    installation: Installation

    def find_missing_attempts(self, item: ClaimedItem) -> list[Attempt]:
        """Updates with the item's mark after the newest known attempt, as landed attempts.

        Raises:
            NotVerified: there are more than 200 updates, and the newest 200 do not cover the lost time.
            AzureDevOpsError: it cannot be read now.
        """
        number, known = self.claim.item.number, item.last_revision or 0
        updates, is_whole = self.session.updates(number, skip=known, most=_MAX_UPDATES)
        if not is_whole:
            updates = [*updates, *self._newest(item, max(known, updates[-1].rev if updates else 0))]
        mark = re.compile(rf"\({self.claim.public_id.hex}-(\d{{1,9}})\)")
        after_known = {update.rev: update for update in updates if update.rev > known}
        matches = ((mark.search(update.history or ""), update) for _, update in sorted(after_known.items()))
        return [_to_attempt(int(match[1]), update) for match, update in matches if match is not None]

    def _newest(self, item: ClaimedItem, read_to: int) -> list[Update]:
        """The newest updates, if they reach back to those already read, or to before the lost time."""
        restored_to = self.installation.restored_to
        number = self.claim.item.number
        skip = max(0, self.session.work_item(number).rev - _MAX_UPDATES)  # every revision has at least one update
        updates, is_whole = self.session.updates(
            number, skip=skip, most=2 * _MAX_UPDATES
        )  # links have updates of their own
        if not is_whole or not updates:
            raise NotVerified
        oldest = updates[0]
        if oldest.rev <= read_to + 1:
            return updates
        is_of_last_restore = item.checked_epoch == self.installation.mark.epoch - 1
        if not is_of_last_restore or restored_to is None or oldest.changed_at is None:
            raise NotVerified
        if oldest.changed_at > restored_to - _MAX_SKEW:
            raise NotVerified
        return updates


def epoch_of_new_item(installation: Installation, now: dt.datetime) -> int:
    """The epoch up to which a new item's history is checked: after a restore it may be new only in the database."""
    epoch, accepted_at = installation.mark.epoch, installation.accepted_at
    if epoch == 0 or accepted_at is None or now - accepted_at > _CHECK_NEW_ITEMS_FOR:
        return epoch
    return epoch - 1


def _to_attempt(number: int, update: Update) -> Attempt:
    before, after = (to_places(hours or _ZERO) for hours in (update.hours_before, update.hours_after))
    return Attempt(number, update.rev - 1, before, after, short_after=_ZERO, batch=0)
