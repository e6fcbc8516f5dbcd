"""What the times of an entry may be, and which entries share time; pure."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from shared.errors import FieldError, InvalidRequest
from timers.model import TimeEntry


SKEW: Final = dt.timedelta(minutes=2)
LONGEST: Final = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Span:
    """When somebody's entry was."""

    id: uuid.UUID
    user_id: int
    started_at: dt.datetime
    stopped_at: dt.datetime


def require_times(
    started_at: dt.datetime, stopped_at: dt.datetime, *, given: Sequence[str], now: dt.datetime, longest: dt.timedelta
) -> None:
    """The entry ends after it starts, is not too long, and lies in the past; `given` are the fields to blame.

    Raises:
        InvalidRequest: `invalid_times`, with a pointer to what to change.
    """
    last = f"/{given[-1]}"
    times = {"startedAt": started_at, "stoppedAt": stopped_at}
    wrong = [FieldError(f"/{name}", "must not be in the future") for name in given if times[name] > now]
    if stopped_at <= started_at:
        wrong.append(FieldError(last, "must make the entry end after it starts"))
    elif stopped_at - started_at > longest:
        hours = longest // dt.timedelta(hours=1)
        wrong.append(FieldError(last, f"must make the entry at most {hours} hours long; split longer work into days"))
    if wrong:
        raise InvalidRequest(
            "The entry cannot have these times; each that is wrong is listed under errors.",
            code="invalid_times",
            errors=wrong,
        )


def not_after(instant: dt.datetime, now: dt.datetime) -> dt.datetime:
    """An instant by a clock that goes a little ahead of ours is now."""
    return now if now < instant <= now + SKEW else instant


def overlaps(entries: Iterable[TimeEntry], spans: Iterable[Span], *, most: int) -> dict[uuid.UUID, list[uuid.UUID]]:
    """For each entry the spans of the same person that share time with it, in the order they began."""
    of_user: dict[int, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each.started_at):
        of_user[span.user_id].append(span)
    return {entry.id: list(islice(_sharing(entry, of_user[entry.user_id]), most)) for entry in entries}


def _sharing(entry: TimeEntry, spans: Iterable[Span]) -> Iterator[uuid.UUID]:
    for span in spans:
        if span.started_at < entry.stopped_at and span.stopped_at > entry.started_at and span.id != entry.id:
            yield span.id
