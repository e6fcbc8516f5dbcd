"""Actions in requests of the extension, and in responses to admins."""

import datetime as dt
import uuid
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from shared.calendar import first_instant
from shared.http.paging import NEXT_LINK, PageQuery
from shared.http.wire import DateInput, Instant, InstantInput, WireModel
from tenants.actions.log.model import Action, bound_key
from tenants.actions.rules import is_plain_path
from tenants.actions.service import SentAction


MOST_AT_ONCE: Final = 50
_DAY: Final = dt.timedelta(days=1)


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


class ActionQuery(PageQuery):
    user: str | None = Field(None, description="id of a person, or `me`; only their actions")
    from_: DateInput | None = Field(None, alias="from", description="first day, in the tenant's time zone")
    to: DateInput | None = Field(None, description="last day")

    @field_validator("to", mode="after")
    @classmethod
    def _not_before_from(cls, to: dt.date | None, info: ValidationInfo) -> dt.date | None:
        first = info.data.get("from_")
        if first is not None and to is not None and to < first:
            raise ValueError("must not be before from")
        return to

    def bounds(self, zone: ZoneInfo) -> tuple[str | None, str | None]:
        """The bounds of the range in the action log: since the first day, and until the last."""
        since = None if self.from_ is None else bound_key(first_instant(self.from_, zone))
        return since, None if self.to is None else bound_key(first_instant(self.to + _DAY, zone))


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
    next_link: str | None = NEXT_LINK
