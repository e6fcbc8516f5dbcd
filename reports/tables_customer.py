"""The pieces of time as a customer is shown them: whole minutes, no addresses, and no pseudonyms of erased people."""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from reports.store import Person
from reports.store_pieces import Piece


_MINUTE_MS: Final = 60_000
FORMER: Final = Person(uuid.UUID(int=0), "Former member", "", is_erased=True)
_NOBODY: Final = 0  # the number of no row


def for_customer(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Cut to minutes so that those of each project add up to its time, rounded to the minute."""
    exact, given = Counter[tuple[int, bool]](), Counter[tuple[int, bool]]()
    for piece in pieces:
        key = (piece.project_id, piece.work_item.type is None)
        exact[key] += piece.elapsed_ms
        minutes = (exact[key] + _MINUTE_MS // 2) // _MINUTE_MS - given[key]
        given[key] += minutes
        is_erased = piece.user.is_erased
        yield replace(
            piece,
            user_id=_NOBODY if is_erased else piece.user_id,
            user=FORMER if is_erased else piece.user,
            elapsed_ms=minutes * _MINUTE_MS,
            started_at=_to_the_minute(piece.started_at),
            stopped_at=_to_the_minute(piece.stopped_at),
        )


def _to_the_minute(instant: dt.datetime) -> dt.datetime:
    return instant.replace(second=0, microsecond=0)
