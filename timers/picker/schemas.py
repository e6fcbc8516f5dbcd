"""Lists of work items to pick from on the wire."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from shared.http.wire import Instant, Text128, WireModel
from timers.picker.favorite_rules import MAX_FAVORITES
from timers.picker.model import ListedItem, RecentItem, SearchState
from timers.schemas import Organization
from timers.search_rules import Search


class ListedWorkItem(WireModel):
    """A work item in a list. The type is present once anybody has read it.

    Title, assignee and state are present if you have read it with your own Azure DevOps token in the last 30 days;
    roles make no difference. To read those without a title, send their numbers to `POST /api/work-items/refresh`.
    """

    organization: str
    id: int
    project: str | None = Field(None, description="in Azure DevOps, or else of your newest time on the work item")
    type: str | None = None
    title: str | None = None
    assignee_name: str | None = None
    state: str | None = None

    @classmethod
    def of(cls, item: ListedItem) -> Self:
        return cls(
            organization=item.organization,
            id=item.work_item_id,
            project=item.project,
            type=item.type,
            title=item.title,
            assignee_name=item.assignee_name,
            state=item.state,
        )


class RecentWorkItem(ListedWorkItem):
    last_started_at: Instant = Field(description="start of your latest time on the work item")

    @classmethod
    def of_recent(cls, recent: RecentItem) -> Self:
        return cls(**dict(ListedWorkItem.of(recent.item)), last_started_at=recent.last_started_at)


class RecentWorkItems(WireModel):
    items: list[RecentWorkItem]


class Favorites(WireModel):
    items: list[ListedWorkItem]

    @classmethod
    def of(cls, items: Iterable[ListedItem]) -> Self:
        return cls(items=[ListedWorkItem.of(each) for each in items])


class SetFavorite(WireModel):
    position: Annotated[int, Field(ge=1, le=MAX_FAVORITES)] | None = Field(
        None, description="from 1; if omitted, a favorite stays at its position and a new one comes last"
    )


def _visible(text: str) -> str:
    if not Search.parse(text).words:
        raise ValueError("must have visible characters")
    return text


class SearchQuery(WireModel):
    search: Annotated[Text128, AfterValidator(_visible)] = Field(
        description="a number, or its first digits; or words of a title", examples=["checkout guests", "#42"]
    )
    organization: Organization | None = Field(
        None,
        description="only its work items; also the one that is searched in Azure DevOps, by default your default one",
    )


class FoundWorkItems(WireModel):
    items: list[ListedWorkItem]
    azure_dev_ops: SearchState = Field(
        description="`notAsked`: without a token, or in an inactive organization; after `failed` the items are those "
        "that TimeTracker knows"
    )
    azure_dev_ops_reason: str | None = Field(None, description="code of the problem")
    azure_dev_ops_detail: str | None = Field(None, description="the problem in plain text, for the person")
