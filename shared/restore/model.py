"""The mark of an installation, the same as the store outside has it, and the changes that the store is told."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """How far an installation has acted outward; an accepted restore begins another epoch."""

    epoch: int
    number: int


class HeldReason(StrEnum):
    BEHIND = "behind"  # the store outside has a later mark: this is a copy, or was restored
    BEGUN = "begun"  # an operator has said so


@dataclass(frozen=True, slots=True)
class Installation:
    """The database's own row. What the last accepted restore lost happened from `restored_to` on."""

    public_id: uuid.UUID
    at: Mark
    moved_at: dt.datetime | None
    held_since: dt.datetime | None
    held_reason: HeldReason | None
    restored_to: dt.datetime | None
    accepted_at: dt.datetime | None

    @property
    def is_held(self) -> bool:
        return self.held_since is not None


@dataclass(frozen=True, slots=True)
class Outside:
    """The mark that the store outside was told last, and when."""

    at: Mark
    seen_at: dt.datetime


class ChangeKind(StrEnum):
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    CONSENT = "consentWithdrawn"


@dataclass(frozen=True, slots=True)
class Change:
    """An erasure, or a right that somebody brought into force or lifted: by random ids, without a name.

    `subject` is the public id of a person, or the tenant's own.
    """

    public_id: uuid.UUID
    kind: ChangeKind
    tenant: uuid.UUID
    subject: uuid.UUID
    in_force: bool
    at: dt.datetime


class NotReached(Exception):
    """The store outside does not answer, or not in time."""
