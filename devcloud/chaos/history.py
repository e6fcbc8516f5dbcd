"""What a client asked for and what it was told: the history that the database is compared with afterwards."""

import datetime as dt
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


Json = dict[str, Any]


class Outcome(StrEnum):
    """What a client may believe. `UNKNOWN`: the answer was lost, or was 5xx, so it may be done or not."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Attempt:
    """One sending of a request. `status` is None where no answer came; `seconds` is how long it took."""

    sent_at: dt.datetime
    ended_at: dt.datetime
    seconds: float
    status: int | None


@dataclass(slots=True)
class Operation:
    """One thing that a person asked for, and every sending of it. Its `mark` stands in what it leaves behind."""

    number: int
    kind: str
    method: str
    path: str
    body: Json | None
    mark: str
    key: str | None = None
    version: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    answer: Json | None = None

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def sent_at(self) -> dt.datetime:
        return self.attempts[0].sent_at

    @property
    def ended_at(self) -> dt.datetime:
        return self.attempts[-1].ended_at

    @property
    def status(self) -> int | None:
        return self.attempts[-1].status

    @property
    def outcome(self) -> Outcome:
        """A refusal after a lost answer proves nothing: the earlier sending may still be done."""
        last = self.status
        if last is None or last >= 500:  # noqa: PLR2004 - our failure
            return Outcome.UNKNOWN
        if last < 400:  # noqa: PLR2004 - done
            return Outcome.ACKNOWLEDGED
        lost = any(each.status is None or each.status >= 500 for each in self.attempts)  # noqa: PLR2004
        return Outcome.UNKNOWN if lost else Outcome.REFUSED

    def told(self) -> str:
        """One line for a person who looks for what went wrong."""
        sendings = ", ".join(
            f"{each.sent_at:%H:%M:%S.%f} +{each.seconds:.3f}s {each.status or 'no answer'}" for each in self.attempts
        )
        body = "" if self.body is None else json.dumps(self.body)
        answer = "" if self.answer is None else json.dumps(self.answer)[:300]
        return f"#{self.number} {self.kind} {self.method} {self.path} {body} [{sendings}] {self.outcome} {answer}"


@dataclass(slots=True)
class History:
    """Everything one person asked for, in order: they ask for one thing at a time."""

    tid: str
    oid: str
    operations: list[Operation] = field(default_factory=list)

    def near(self, *marks: str) -> list[Operation]:
        """The operations that name one of these marks or ids, at most the last twelve."""
        found = [each for each in self.operations if any(mark in each.told() for mark in marks if mark)]
        return found[-12:]
