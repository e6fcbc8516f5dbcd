"""What the extension sends to put actions on record, and what admins read of them."""

import uuid
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from shared.http.wire import Instant, InstantInput, WireModel
from tenants.actions.log.model import Action
from tenants.actions.rules import is_plain_path
from tenants.actions.service import Said


MOST_AT_ONCE: Final = 50


def _plain_path(value: str) -> str:
    if not is_plain_path(value):
        raise ValueError("must be a path like /reports/month: without host, query, fragment or anybody's address")
    return value


ActionType = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$", max_length=64, examples=["timer.start"], description="what was done"),
]
Page = Annotated[
    str,
    Field(min_length=1, max_length=200, examples=["/reports/month"], description="where: a path and nothing else"),
    AfterValidator(_plain_path),
]
SaidAt = Annotated[InstantInput, Field(description="when, at most 24 hours ago; now when left out")]


class NewAction(WireModel):
    type: ActionType
    page: Page
    at: SaidAt | None = None

    def to_said(self, pointer: str) -> Said:
        return Said(pointer, self.type, self.page, self.at)


def _one_or_many(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": ["items"]}, {"required": ["type", "page"]}]


class NewActions(WireModel):
    """One action, `{type, page, at?}`, or up to 50 of them as `{items: [...]}`."""

    model_config = ConfigDict(json_schema_extra=_one_or_many)

    items: Annotated[list[NewAction], Field(fail_fast=True, min_length=1, max_length=MOST_AT_ONCE)] | None = None
    type: ActionType | None = None
    page: Page | None = None
    at: SaidAt | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        alone = {"type", "page", "at"} & self.model_fields_set
        if (self.items is None) == (self.type is None or self.page is None) or (self.items is not None and alone):
            raise ValueError("must be either one action, with type and page, or items")
        return self

    def to_said(self) -> list[Said]:
        if self.items is not None:
            return [item.to_said(f"/items/{place}") for place, item in enumerate(self.items)]
        assert self.type is not None  # noqa: S101 - the validator has seen to it
        assert self.page is not None  # noqa: S101 - likewise
        return [Said("", self.type, self.page, self.at)]


class RecordedActions(WireModel):
    accepted: Annotated[int, Field(ge=0, description="how many are on record")]
    dropped: Annotated[int, Field(ge=0, description="how many are lost, since the log could not be reached in time")]


class ActionQuery(WireModel):
    user: str | None = Field(None, description="only this person's")
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50


class ActionItem(WireModel):
    user_id: str
    type: str
    page: str
    at: Instant

    @classmethod
    def of(cls, action: Action, user: uuid.UUID) -> Self:
        return cls(user_id=str(user), type=action.action_type, page=action.page, at=action.happened_at)


class ActionPage(WireModel):
    items: list[ActionItem]
    next_link: str | None = Field(None, description="the next page; absent on the last")
