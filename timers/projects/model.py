"""A project of a tenant, as a frozen value."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Project:
    """A project as it was named. `joined_to` is the one that it was joined with, `alias_of` the one it counts as."""

    id: int
    public_id: uuid.UUID
    organization_id: int
    organization: str
    name: str
    alias_of: int | None
    joined_to: int | None

    @property
    def counts_as(self) -> int:
        return self.id if self.alias_of is None else self.alias_of
