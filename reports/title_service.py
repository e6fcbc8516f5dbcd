"""Counts the visible titles of a report's work items, with the reason for the others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reports.store import SumRow, WorkItemView


RefusedItems = frozenset[tuple[str, int]]  # names of organizations and numbers
NO_REFUSED_ITEMS: Final[RefusedItems] = frozenset()


class TitleStatus(StrEnum):
    SHOWN = "shown"
    HIDDEN = "hidden"  # Azure DevOps has just refused the item to the viewer's token
    NOT_ASKED = "notAsked"  # the viewer has not read it in the last 30 days; refusals are not stored


def status_of(item: WorkItemView, refused: RefusedItems) -> TitleStatus:
    if item.title is not None:
        return TitleStatus.SHOWN
    return TitleStatus.HIDDEN if (item.organization, item.id) in refused else TitleStatus.NOT_ASKED


@dataclass(frozen=True, slots=True)
class TitleCounts:
    """The numbers of work items by the status of their titles."""

    shown: int
    hidden: int
    not_asked: int

    @property
    def total(self) -> int:
        return self.shown + self.hidden + self.not_asked


NO_TITLES: Final = TitleCounts(0, 0, 0)


def count(items: Iterable[WorkItemView], refused: RefusedItems) -> TitleCounts:
    """`items` has no duplicates."""
    counts = Counter(status_of(item, refused) for item in items)
    return TitleCounts(counts[TitleStatus.SHOWN], counts[TitleStatus.HIDDEN], counts[TitleStatus.NOT_ASKED])


def distinct_items(rows: Iterable[SumRow]) -> Iterable[WorkItemView]:
    """The work items of a report's rows, without duplicates."""
    items = (row.work_item for row in rows if row.work_item is not None)
    return {(item.organization, item.id): item for item in items}.values()
