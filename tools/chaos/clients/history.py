"""What a client asked for and what it was told: the history that the database is compared with afterwards."""

import datetime as dt
import json
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final


Json = dict[str, Any]
STARTS: Final = {"start", "named start", "switch", "late start"}
STOPS: Final = {"stop", "named stop", "late stop"}
IN_FLIGHT: Final = dt.timedelta(seconds=45)  # so long after its last sending a request may still be done


class Outcome(StrEnum):
    """What a client may believe.

    `REFUSED` is a 4xx, or that nobody listened: it is not done. `UNKNOWN` is a lost answer or a 5xx: it may be done.
    """

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Attempt:
    """One sending of a request, or its try: `was_sent` is False where nobody listened.

    `status` is None where no answer came; `seconds` is how long it took.
    """

    sent_at: dt.datetime
    ended_at: dt.datetime
    seconds: float
    status: int | None
    was_sent: bool = True

    @property
    def is_lost(self) -> bool:
        """Whether it may have been done, for all that came back."""
        return self.was_sent and (self.status is None or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR)

    def told(self) -> str:
        came = self.status or ("no answer" if self.was_sent else "nobody there")
        return f"{self.sent_at:%H:%M:%S.%f} +{self.seconds:.3f}s {came}"


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
    def entry(self) -> str:
        """The id of the entry that the path names."""
        return self.path.partition("/")[2].partition("?")[0]

    @property
    def sent_at(self) -> dt.datetime:
        return self.attempts[0].sent_at

    @property
    def ended_at(self) -> dt.datetime:
        return self.attempts[-1].ended_at

    @property
    def done_by(self) -> dt.datetime:
        """After this it is not done any more: it has been, or never is."""
        return self.ended_at + IN_FLIGHT if self.outcome is Outcome.UNKNOWN else self.ended_at

    @property
    def status(self) -> int | None:
        return self.attempts[-1].status

    @property
    def outcome(self) -> Outcome:
        """A refusal after a lost answer proves nothing: the earlier sending may still be done."""
        if self.status is not None and self.status < HTTPStatus.BAD_REQUEST:
            return Outcome.ACKNOWLEDGED
        return Outcome.UNKNOWN if any(each.is_lost for each in self.attempts) else Outcome.REFUSED

    @property
    def is_refused(self) -> bool:
        """Whether the product said no, and nothing was sent before that may be done."""
        return self.status is not None and self.outcome is Outcome.REFUSED

    @property
    def is_answered(self) -> bool:
        """Whether the last sending has come to an end that the person goes by."""
        return self.status is not None and self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    def told(self) -> str:
        """One line for a person who looks for what went wrong."""
        sendings = ", ".join(each.told() for each in self.attempts)
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
