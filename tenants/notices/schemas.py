"""Notices on the wire: what happened, in a sentence, and whether the reader has seen it."""

import datetime as dt
from typing import Annotated, Self
from urllib.parse import urlencode

from pydantic import Field

from shared.http.wire import Instant, WireModel
from shared.notices import NoticeKind
from tenants.notices.rules import text_of
from tenants.notices.store import Named, NoticeRow


class NoticesQuery(WireModel):
    include_dismissed: bool = Field(default=False, description="also those that you have dismissed")
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    def link_after(self, last: "Notice") -> str:
        chosen = {"includeDismissed": "true"} if self.include_dismissed else {}
        return "/api/notices?" + urlencode({**chosen, "pageSize": self.page_size, "after": last.id})


class NoticePerson(WireModel):
    """`displayName` is absent where the processing of the person's data is stopped."""

    id: str
    display_name: str | None = None

    @classmethod
    def of(cls, person: Named | None) -> Self | None:
        return None if person is None else cls(id=str(person.id), display_name=person.name)


class Notice(WireModel):
    """`seenAt` and `dismissedAt` are yours; each reader has their own."""

    id: str
    at: Instant
    kind: NoticeKind
    text: str = Field(description="a sentence for people, in English")
    about: NoticePerson | None = Field(None, description="the person whom it is about")
    by: NoticePerson | None = Field(None, description="the person who did it; absent for Microsoft and the vendor")
    seen_at: Instant | None = None
    dismissed_at: Instant | None = None

    @classmethod
    def of(cls, row: NoticeRow, *, now: dt.datetime) -> Self:
        about, by = (None if each is None else each.name for each in (row.about, row.by))
        return cls(
            id=str(row.id),
            at=row.at,
            kind=NoticeKind(row.kind),
            text=text_of(row.kind, row.details, about=about, by=by, now=now, is_by_person=row.by is not None),
            about=NoticePerson.of(row.about),
            by=NoticePerson.of(row.by),
            seen_at=row.seen_at,
            dismissed_at=row.dismissed_at,
        )


class Notices(WireModel):
    items: list[Notice] = Field(description="newest first")
    unseen: int = Field(description="how many you have not seen yet, on all pages")
    next_link: str | None = Field(None, description="the next page; absent on the last")
