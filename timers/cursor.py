"""Where a page of timers or entries ended: the last one's id and start, so that the next follows even if it is gone."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Self

from shared.http.parsing import not_a_page_end, public_id
from shared.instants import parse_rfc3339, rfc3339


@dataclass(frozen=True, slots=True)
class PageEnd:
    id: uuid.UUID | str
    started_at: dt.datetime

    @classmethod
    def of(cls, after: str | None) -> Self | None:
        """What a nextLink carried.

        Raises:
            InvalidRequest: it was made up.
        """
        if after is None:
            return None
        last_id, _, started_at = after.partition(".")
        found = public_id(last_id)
        if found is None:
            raise not_a_page_end()
        try:
            return cls(found, parse_rfc3339(started_at))
        except ValueError as error:
            raise not_a_page_end() from error

    def __str__(self) -> str:
        return f"{self.id}.{rfc3339(self.started_at)}"
