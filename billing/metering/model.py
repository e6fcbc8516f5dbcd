"""A usage event as the outbox has it, what becomes of it, and the sum of a run."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum

from billing.marketplace.usage_model import Usage


class UsageState(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    HELD = "held"  # the subscription takes no usage now
    ALARM = "alarm"  # it is not sent again before somebody has looked


class Alarm(StrEnum):
    """The constant names of the log lines that somebody must look at."""

    CONFLICT = "usage_conflict"  # the hour holds another quantity than ours
    EXPIRED = "usage_expired"  # older than the 24 hours in which it is taken
    REFUSED = "usage_refused"  # for the reason that `code` gives
    UNASKED = "usage_not_asked"  # `count` events of the tenant wait for 12 hours, as the meter's list cannot be had
    LATE = "usage_late"  # `count` events of the tenant were not accepted within 24 hours
    MISMATCH = "usage_mismatch"  # the meter and the outbox do not agree
    MORE_SENT = "usage_more_than_billed"  # the meter has `sent` users of a month whose bill has `billed`


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """A row of the outbox; `tenant` is the tenant's public id, `attempts` counts the one that goes on.

    `period_ends_at` is its bill's, where it is due to be sent. `has_ended`: the subscription is over here, and is not
    reinstated.
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
    """What a row becomes: `word` is the Marketplace's, or ours where there was none."""

    state: UsageState
    word: str
    alarm: Alarm | None = None
    usage_event_id: uuid.UUID | None = None


@dataclass(slots=True)
class Sent:
    """What a run came to; `failed` counts batches and tenants that could not be worked on."""

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
