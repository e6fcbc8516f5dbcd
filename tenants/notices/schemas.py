"""Notices in responses, each with its text and whether the reader has seen it."""

import datetime as dt
from typing import Self

from pydantic import Field

from shared.http.paging import NEXT_LINK, PageQuery
from shared.http.wire import Flag, Instant, WireModel
from shared.notices import NoticeKind
from tenants.notices.rules import text_of
from tenants.notices.store import NoticeRow, PersonName


class NoticesQuery(PageQuery):
    include_dismissed: Flag = Field(default=False, description="include notices that you have dismissed")


class NoticePerson(WireModel):
    """`displayName` is absent where processing of the person's data is stopped."""

    id: str
    display_name: str | None = None

    @classmethod
    def of(cls, person: PersonName | None) -> Self | None:
        return None if person is None else cls(id=str(person.id), display_name=person.name)


class Notice(WireModel):
    """`seenAt` and `dismissedAt` are the reader's own."""

    id: str
    at: Instant
    kind: NoticeKind
    text: str = Field(description="the text to show, in English")
    about: NoticePerson | None = Field(None, description="the person concerned")
    by: NoticePerson | None = Field(None, description="the acting person; absent for Microsoft and the vendor")
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
    unseen: int = Field(description="number of notices that you have not seen, on all pages")
    next_link: str | None = NEXT_LINK
