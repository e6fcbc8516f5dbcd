"""The pieces of time as a customer is shown them: whole minutes, no addresses, and no pseudonyms of erased people."""

import datetime as dt
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from reports.exports.hour_rules import to_the_minute
from reports.piece_store import Piece
from reports.store import Person


FORMER: Final = Person(uuid.UUID(int=0), "Former member", "", is_erased=True)
_NOBODY: Final = 0  # the number of no row
_PSEUDONYM: Final = re.compile(r"\berased-[0-9a-f]{12}(@erased\.invalid)?\b")  # as an erasure leaves it in texts


def _anonymous(text: str) -> str:
    return _PSEUDONYM.sub(FORMER.display_name, text)


def for_customer(pieces: Iterator[Piece], *, only_known: bool) -> Iterator[Piece]:
    """Cut to minutes so that those of each project add up to its time, rounded to the minute.

    With `only_known` pieces of work items of unknown type, which are not shown, are passed on as they are.
    """
    exact, given = Counter[int](), Counter[int]()
    for piece in pieces:
        if only_known and piece.work_item.type is None:
            yield piece
            continue
        key = piece.project_id
        exact[key] += piece.elapsed_ms
        minutes_ms = to_the_minute(exact[key]) - given[key]
        given[key] += minutes_ms
        is_erased, item = piece.user.is_erased, piece.work_item
        yield replace(
            piece,
            user_id=_NOBODY if is_erased else piece.user_id,
            user=FORMER if is_erased else piece.user,
            project=_anonymous(piece.project),
            work_item=replace(
                item,
                title=item.title and _anonymous(item.title),
                assignee_name=item.assignee_name and _anonymous(item.assignee_name),
            ),
            note=piece.note and _anonymous(piece.note),
            elapsed_ms=minutes_ms,
            started_at=_cut_to_minute(piece.started_at),
            stopped_at=_cut_to_minute(piece.stopped_at),
        )


def _cut_to_minute(instant: dt.datetime) -> dt.datetime:
    return instant.replace(second=0, microsecond=0)
