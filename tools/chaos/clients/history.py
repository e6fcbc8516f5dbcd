"""The history of a client: its requests and responses, for the comparison with the database."""

import datetime as dt
import json
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final


Json = dict[str, Any]
STARTS: Final = {"start", "named start", "switch", "late start"}
STOPS: Final = {"stop", "named stop", "late stop"}
IN_FLIGHT: Final = dt.timedelta(seconds=45)  # a request may be processed so long after its last attempt


class Outcome(StrEnum):
    """The result of a request, as far as the client knows.

    `REFUSED`: a 4xx or a refused connection; it was not processed. `UNKNOWN`: no response or a 5xx; it may be.
    """

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Attempt:
    """One attempt to send a request; `was_sent` is False for a refused connection.

    `status` is None without a response; `seconds` is the duration.
    """

    sent_at: dt.datetime
    ended_at: dt.datetime
    seconds: float
    status: int | None
    was_sent: bool = True

    @property
    def is_lost(self) -> bool:
        """Whether it may have been processed without a usable response."""
        return self.was_sent and (self.status is None or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR)

    def describe(self) -> str:
        result = self.status or ("no response" if self.was_sent else "connection refused")
        return f"{self.sent_at:%H:%M:%S.%f} +{self.seconds:.3f}s {result}"


@dataclass(slots=True)
class Operation:
    """One request of a person with all its attempts; `mark` identifies its rows in the database."""

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
        """The id of the entry in the path."""
        return self.path.partition("/")[2].partition("?")[0]

    @property
    def sent_at(self) -> dt.datetime:
        return self.attempts[0].sent_at

    @property
    def ended_at(self) -> dt.datetime:
        return self.attempts[-1].ended_at

    @property
    def done_by(self) -> dt.datetime:
        """The end of the time in which it may be processed."""
        return self.ended_at + IN_FLIGHT if self.outcome is Outcome.UNKNOWN else self.ended_at

    @property
    def status(self) -> int | None:
        return self.attempts[-1].status

    @property
    def outcome(self) -> Outcome:
        """A refusal after a lost response proves nothing: the earlier attempt may still be processed."""
        if self.status is not None and self.status < HTTPStatus.BAD_REQUEST:
            return Outcome.ACKNOWLEDGED
        return Outcome.UNKNOWN if any(each.is_lost for each in self.attempts) else Outcome.REFUSED

    @property
    def is_refused(self) -> bool:
        """Whether the product refused it, and no earlier attempt may be processed."""
        return self.status is not None and self.outcome is Outcome.REFUSED

    @property
    def is_answered(self) -> bool:
        """Whether the last attempt got a response that the person accepts."""
        return self.status is not None and self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    def describe(self) -> str:
        """One line for the report of a violation."""
        attempts_text = ", ".join(each.describe() for each in self.attempts)
        body = "" if self.body is None else json.dumps(self.body)
        answer = "" if self.answer is None else json.dumps(self.answer)[:300]
        return f"#{self.number} {self.kind} {self.method} {self.path} {body} [{attempts_text}] {self.outcome} {answer}"


@dataclass(slots=True)
class History:
    """All requests of one person in order, one at a time."""

    tid: str
    oid: str
    operations: list[Operation] = field(default_factory=list)

    def find_related(self, *marks: str) -> list[Operation]:
        """The last twelve operations with one of these marks or ids."""
        related = [each for each in self.operations if any(mark in each.describe() for mark in marks if mark)]
        return related[-12:]
