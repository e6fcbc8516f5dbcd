"""The mark of an installation, in the database and outside it, and the changes that are copied outside."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A counter of outward actions; an accepted restore starts a new epoch."""

    epoch: int
    number: int


class HeldReason(StrEnum):
    BEHIND = "behind"  # the stored mark is later, so this database is a copy, or was restored
    BEGUN = "begun"  # by an operator


@dataclass(frozen=True, slots=True)
class Installation:
    """The database's own row. The last accepted restore lost the changes from `restored_to` on."""

    public_id: uuid.UUID
    mark: Mark
    moved_at: dt.datetime | None
    held_since: dt.datetime | None
    held_reason: HeldReason | None
    restored_to: dt.datetime | None
    accepted_at: dt.datetime | None

    @property
    def is_held(self) -> bool:
        return self.held_since is not None


@dataclass(frozen=True, slots=True)
class StoredMark:
    """The latest mark outside the database, and its time."""

    mark: Mark
    seen_at: dt.datetime


class PrivacyChangeKind(StrEnum):
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    CONSENT = "consentWithdrawn"


@dataclass(frozen=True, slots=True)
class PrivacyChange:
    """An erasure, or a right that was put in force or lifted; contains random ids and no name.

    `subject` is the public id of a person, or of the tenant itself.
    """

    public_id: uuid.UUID
    kind: PrivacyChangeKind
    tenant: uuid.UUID
    subject: uuid.UUID
    in_force: bool
    at: dt.datetime


class MarkTableUnavailable(Exception):
    """The table outside the database gave no response in time."""
