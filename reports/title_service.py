"""How many of a report's work items its reader is shown the title of, and why not of the others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reports.store import Row, WorkItem


Refused = frozenset[tuple[str, int]]  # by the name of the organization and the number
NONE_REFUSED: Final[Refused] = frozenset()


class TitleStatus(StrEnum):
    SHOWN = "shown"
    HIDDEN = "hidden"  # Azure DevOps has just refused the item to the reader's own token
    NOT_ASKED = "notAsked"  # the reader has not read it in the last 30 days, since refusals are not kept


def status_of(item: WorkItem, refused: Refused) -> TitleStatus:
    if item.title is not None:
        return TitleStatus.SHOWN
    return TitleStatus.HIDDEN if (item.organization, item.id) in refused else TitleStatus.NOT_ASKED


@dataclass(frozen=True, slots=True)
class Titles:
    """The work items of a report, each once however many rows are about it, by whether their titles are shown."""

    shown: int
    hidden: int
    not_asked: int

    @property
    def total(self) -> int:
        return self.shown + self.hidden + self.not_asked


NO_TITLES: Final = Titles(0, 0, 0)


def count(items: Iterable[WorkItem], refused: Refused) -> Titles:
    """`items` has each once."""
    found = Counter(status_of(item, refused) for item in items)
    return Titles(found[TitleStatus.SHOWN], found[TitleStatus.HIDDEN], found[TitleStatus.NOT_ASKED])


def each_once(rows: Iterable[Row]) -> Iterable[WorkItem]:
    """The work items of a report's rows, which may be about one of them several times."""
    items = (row.work_item for row in rows if row.work_item is not None)
    return {(item.organization, item.id): item for item in items}.values()
