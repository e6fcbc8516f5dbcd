"""Work items on the wire."""

from typing import Annotated, Self

from pydantic import Field

from shared.http.wire import Instant, WireModel
from timers.schemas import Organization, WorkItemId
from timers.work_items.store import CachedWorkItem


class WorkItem(WireModel):
    """A work item as Azure DevOps showed it at `fetchedAt`."""

    organization: str
    id: int
    project: str | None = Field(None, description="absent if the item was last read before projects were stored")
    type: str
    title: str
    assignee_name: str | None = None
    state: str
    fetched_at: Instant

    @classmethod
    def of(cls, item: CachedWorkItem, organization: str) -> Self:
        return cls(
            organization=organization,
            id=item.id,
            project=item.project,
            type=item.type,
            title=item.title,
            assignee_name=item.assignee_name,
            state=item.state,
            fetched_at=item.fetched_at,
        )


class RefreshWorkItems(WireModel):
    organization: Organization
    ids: Annotated[list[WorkItemId], Field(fail_fast=True, min_length=1, max_length=200)]


class RefreshedWorkItems(WireModel):
    items: list[WorkItem]
    missing: list[int] = Field(description="numbers that do not exist, or that you may not see")
