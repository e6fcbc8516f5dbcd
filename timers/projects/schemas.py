"""Projects on the wire."""

import uuid
from collections.abc import Sequence
from typing import Self

from pydantic import Field

from shared.http.wire import Text64, WireModel
from timers.projects import model


class Project(WireModel):
    """A project under one of its names."""

    id: str
    organization: str
    name: str
    joined_to: str | None = Field(None, description="id of the project that it was joined to")
    counts_as: str = Field(
        description="id of the project that it counts as in reports and lists; its own unless it is joined"
    )


class ProjectsQuery(WireModel):
    search: Text64 | None = Field(None, description="words of the name")


class ProjectList(WireModel):
    items: list[Project]

    @classmethod
    def of(cls, projects: Sequence[model.Project], listed: Sequence[model.Project] | None = None) -> Self:
        """`projects` are all of the tenant; `listed` are some of them, if not all are shown."""
        ids = {each.id: str(each.public_id) for each in projects}
        items = [
            Project(
                id=ids[each.id],
                organization=each.organization,
                name=each.name,
                joined_to=None if each.joined_to is None else ids[each.joined_to],
                counts_as=ids[each.counts_as],
            )
            for each in (projects if listed is None else listed)
        ]
        return cls(items=items)


class JoinProject(WireModel):
    project_id: uuid.UUID = Field(description="the project that this one will count as")
