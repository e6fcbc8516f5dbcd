"""Actions in requests of the extension, and in responses to admins."""

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from shared.http.log_query import LogPageQuery
from shared.http.paging import NEXT_LINK
from shared.http.wire import Instant, InstantInput, PersonName, WireModel
from tenants.actions.log.model import Action
from tenants.actions.rules import is_plain_path
from tenants.actions.service import SentAction
from tenants.actions.store import ActionAuthor


MOST_AT_ONCE: Final = 50


def _plain_path(value: str) -> str:
    if not is_plain_path(value):
        raise ValueError("must be a path like /reports/month, without host, query, fragment or e-mail address")
    return value


ActionType = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_.-]{0,63}$", max_length=64, examples=["timer.start"], description="the kind of action"
    ),
]
Page = Annotated[
    str,
    Field(min_length=1, max_length=200, examples=["/reports/month"], description="path of the page"),
    AfterValidator(_plain_path),
]
SentTime = Annotated[
    InstantInput, Field(description="time of the action; at most 24 hours in the past; defaults to now")
]


class NewAction(WireModel):
    type: ActionType
    page: Page
    at: SentTime | None = None

    def to_sent(self, pointer: str) -> SentAction:
        return SentAction(pointer, self.type, self.page, self.at)


_OBJECT: Final = ("type", "additionalProperties")


def _one_or_many(schema: dict[str, Any]) -> None:
    items = next(each for each in schema["properties"]["items"]["anyOf"] if "items" in each)
    many = {"properties": {"items": items}, "required": ["items"]} | {name: schema[name] for name in _OBJECT}
    for name in ("properties", *_OBJECT):
        del schema[name]
    schema["oneOf"] = [items["items"], many]


class NewActions(WireModel):
    """One action, `{type, page, at?}`, or up to 50 of them as `{items: [...]}`."""

    model_config = ConfigDict(json_schema_extra=_one_or_many)

    items: Annotated[list[NewAction], Field(fail_fast=True, min_length=1, max_length=MOST_AT_ONCE)] | None = None
    type: ActionType | None = None
    page: Page | None = None
    at: SentTime | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        alone = {"type", "page", "at"} & self.model_fields_set
        if (self.items is None) == (self.type is None or self.page is None) or (self.items is not None and alone):
            raise ValueError("must be either one action, with type and page, or items")
        return self

    def to_sent(self) -> list[SentAction]:
        if self.items is not None:
            return [item.to_sent(f"/items/{place}") for place, item in enumerate(self.items)]
        assert self.type is not None  # noqa: S101 - checked by the validator
        assert self.page is not None  # noqa: S101 - likewise
        return [SentAction("", self.type, self.page, self.at)]


class RecordedActions(WireModel):
    accepted: Annotated[int, Field(ge=0, description="number of recorded actions")]
    dropped: Annotated[
        int, Field(ge=0, description="number of lost actions; the action log could not be reached in time")
    ]


class ActionQuery(LogPageQuery):
    user: str | None = Field(None, description="id of a person, or `me`; only their actions")
    type: ActionType | None = Field(None, description="only actions of this kind")


class ActionItem(WireModel):
    user_id: str
    user: PersonName
    type: str
    page: str
    at: Instant

    @classmethod
    def of(cls, action: Action, author: ActionAuthor) -> Self:
        user = PersonName(id=str(author.public_id), display_name=author.display_name)
        return cls(user_id=user.id, user=user, type=action.action_type, page=action.page, at=action.happened_at)


class ActionPage(WireModel):
    items: list[ActionItem]
    next_link: str | None = NEXT_LINK
