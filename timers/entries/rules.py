"""Valid times of an entry, and overlaps between entries; pure."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from shared.errors import FieldError, InvalidRequest
from timers.model import TimeEntry


_MAX_SKEW: Final = dt.timedelta(minutes=2)
MAX_LENGTH: Final = dt.timedelta(hours=24)
# A synchronization reads the changes of this time again: a transaction may end so long after the instant of its change.
SYNC_OVERLAP: Final = dt.timedelta(minutes=35)


@dataclass(frozen=True, slots=True)
class Span:
    """The time span of a person's entry."""

    id: uuid.UUID
    user_id: int
    started_at: dt.datetime
    stopped_at: dt.datetime


def require_times(
    started_at: dt.datetime,
    stopped_at: dt.datetime,
    *,
    given: Sequence[str],
    now: dt.datetime,
    max_length: dt.timedelta,
) -> None:
    """Requires that an entry ends after it starts, is not too long and lies in the past.

    Errors point to the fields in `given`, those of the request.

    Raises:
        InvalidRequest: `invalid_times`.
    """
    last = f"/{given[-1]}"
    times = {"startedAt": started_at, "stoppedAt": stopped_at}
    wrong = [FieldError(f"/{name}", "must not be in the future") for name in given if times[name] > now]
    if stopped_at <= started_at:
        wrong.append(
            FieldError(last, "must be after the start" if given[-1] == "stoppedAt" else "must be before the end")
        )
    elif stopped_at - started_at > max_length:
        hours = max_length // dt.timedelta(hours=1)
        wrong.append(
            FieldError(last, f"must make the entry at most {hours} hours long; split longer work into several entries")
        )
    if wrong:
        raise InvalidRequest(
            "These times are not possible for an entry. Correct those that are marked.",
            code="invalid_times",
            errors=wrong,
        )


def clamp_to_now(instant: dt.datetime, now: dt.datetime) -> dt.datetime:
    """The instant, or now if it is up to two minutes ahead: the client's clock may be a little fast."""
    return now if now < instant <= now + _MAX_SKEW else instant


def find_overlaps(
    entries: Iterable[TimeEntry], spans: Iterable[Span], *, limit: int
) -> dict[uuid.UUID, list[uuid.UUID]]:
    """For each entry the ids of the same person's entries that overlap it, by start."""
    of_user: dict[int, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each.started_at):
        of_user[span.user_id].append(span)
    return {entry.id: list(islice(_overlapping(entry, of_user[entry.user_id]), limit)) for entry in entries}


def _overlapping(entry: TimeEntry, spans: Iterable[Span]) -> Iterator[uuid.UUID]:
    for span in spans:
        if span.started_at < entry.stopped_at and span.stopped_at > entry.started_at and span.id != entry.id:
            yield span.id
