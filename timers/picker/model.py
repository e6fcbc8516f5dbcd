"""A work item in a list to pick from, as frozen values."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class SearchState(StrEnum):
    """The result of the query in Azure DevOps."""

    ANSWERED = "answered"
    NOT_ASKED = "notAsked"  # without a token, or in an inactive organization
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ItemKey:
    organization_id: int
    work_item_id: int


@dataclass(frozen=True, slots=True)
class ListedItem:
    """A work item as the viewer sees it.

    The type is None if nobody has read the item; title, assignee and state, if the viewer has not. The project is that
    of Azure DevOps if the viewer has read it, else that of the viewer's own newest time on the item.
    """

    organization: str
    work_item_id: int
    project: str | None
    type: str | None
    title: str | None
    assignee_name: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class RecentItem:
    item: ListedItem
    last_started_at: dt.datetime
