"""Usage events of the outbox, verdicts on them, and the counts of a run."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum

from billing.marketplace.usage_model import Usage


class UsageState(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    HELD = "held"  # the subscription takes no usage now
    ALARM = "alarm"  # not sent again; an operator must look


class Alarm(StrEnum):
    """Log events that an operator must look at."""

    CONFLICT = "usage_conflict"  # the hour has another quantity
    EXPIRED = "usage_expired"  # older than the 24 hours in which the meter accepts it
    REFUSED = "usage_refused"  # for the reason that `code` gives
    NOT_ASKED = "usage_not_asked"  # `count` events of the tenant wait for 12 hours, as the meter's list cannot be had
    LATE = "usage_late"  # `count` events of the tenant were not accepted within 24 hours
    MISMATCH = "usage_mismatch"  # the meter and the outbox do not agree
    MORE_SENT = "usage_more_than_billed"  # the meter has `sent` users of a month whose bill has `billed`


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """A row of the outbox; `tenant` is the tenant's public id, `attempts` includes the present one.

    `period_ends_at` is set for due events. `has_ended`: the subscription has ended and is not reinstated.
    """

    id: int
    tenant_id: int
    tenant: uuid.UUID
    usage: Usage
    state: UsageState
    attempts: int
    claimed_until: dt.datetime | None
    last_result: str | None = None
    period_ends_at: dt.datetime | None = None
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The new state of an event; `word` is the Marketplace's status, or ours without a response."""

    state: UsageState
    word: str
    alarm: Alarm | None = None
    usage_event_id: uuid.UUID | None = None


@dataclass(slots=True)
class Sent:
    """The counts of a run; `failed` counts batches and tenants with an error."""

    accepted: int = 0
    waiting: int = 0
    held: int = 0
    alarms: int = 0
    failed: int = 0

    def count(self, state: UsageState) -> None:
        match state:
            case UsageState.ACCEPTED:
                self.accepted += 1
            case UsageState.HELD:
                self.held += 1
            case UsageState.ALARM:
                self.alarms += 1
            case UsageState.PENDING:
                self.waiting += 1
