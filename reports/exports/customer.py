"""Pieces of time for a customer: whole minutes, without pseudonyms of erased people."""

import datetime as dt
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from reports.exports.hour_rules import to_the_minute
from reports.piece_store import Piece
from reports.store import ReportPerson


FORMER: Final = ReportPerson(uuid.UUID(int=0), "Former member", "", is_erased=True)
_NO_USER: Final = 0  # a row id that no user has
_PSEUDONYM: Final = re.compile(r"\berased-[0-9a-f]{12}(@erased\.invalid)?\b")  # as an erasure writes it into texts


def _without_pseudonyms(text: str) -> str:
    return _PSEUDONYM.sub(FORMER.display_name, text)


def to_customer_pieces(pieces: Iterator[Piece], *, only_known: bool) -> Iterator[Piece]:
    """Rounds to minutes that add up to each project's rounded time.

    With `only_known` pieces of unknown work item types, which are not shown, stay unchanged.
    """
    exact, rounded = Counter[int](), Counter[int]()
    for piece in pieces:
        if only_known and piece.work_item.type is None:
            yield piece
            continue
        key = piece.project_id
        exact[key] += piece.elapsed_ms
        minutes_ms = to_the_minute(exact[key]) - rounded[key]
        rounded[key] += minutes_ms
        is_erased, item = piece.user.is_erased, piece.work_item
        yield replace(
            piece,
            user_id=_NO_USER if is_erased else piece.user_id,
            user=FORMER if is_erased else piece.user,
            project=_without_pseudonyms(piece.project),
            work_item=replace(
                item,
                title=item.title and _without_pseudonyms(item.title),
                assignee_name=item.assignee_name and _without_pseudonyms(item.assignee_name),
            ),
            note=piece.note and _without_pseudonyms(piece.note),
            elapsed_ms=minutes_ms,
            started_at=_cut_to_minute(piece.started_at),
            stopped_at=_cut_to_minute(piece.stopped_at),
        )


def _cut_to_minute(instant: dt.datetime) -> dt.datetime:
    return instant.replace(second=0, microsecond=0)
