"""Mentions of a person in others' text, on the wire."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field

from privacy.erasure import mention_service
from shared.http.parsing import public_id
from shared.http.wire import Instant, WireModel


class Mention(WireModel):
    id: str
    section: str = Field(description="the row's section of an export", examples=["timeEntries"])
    at: Instant | None = Field(None, description="the time of the row; omitted if hidden")
    user_id: str | None = Field(None, description="the person of the row; omitted if none or hidden")
    stays: bool = Field(description="whether it stays unchanged at the erasure")


class Mentions(WireModel):
    items: list[Mention]
    is_complete: bool

    @classmethod
    def of(cls, mentions: Iterable[mention_service.ListedMention], *, is_complete: bool) -> Self:
        items = [
            Mention(
                id=str(each.id),
                section=each.section,
                at=each.at,
                user_id=None if each.user_id is None else str(each.user_id),
                stays=each.stays,
            )
            for each in mentions
        ]
        return cls(items=items, is_complete=is_complete)


class ChosenMention(WireModel):
    id: str = Field(max_length=64)
    stays: bool


class ChooseMentions(WireModel):
    items: Annotated[list[ChosenMention], Field(min_length=1, max_length=200)]

    def to_stays(self) -> Mapping[uuid.UUID, bool]:
        return {public_id(each.id) or uuid.UUID(int=0): each.stays for each in self.items}
