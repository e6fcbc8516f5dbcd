"""A project of a tenant, as a frozen value."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Project:
    """A project under one name. `joined_to` is the target of its join, `alias_of` the project that it counts as."""

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
