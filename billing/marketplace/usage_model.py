"""The documents of the metering API: usage events, their results, and the listed days."""

import datetime as dt
import math
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from billing.marketplace.model import Id, Instant, MarketplaceModel, RequiredText, Text
from shared.settings import GUID


_WORD: Final = re.compile(r"\A[A-Za-z]{1,40}\Z")
_NUMBER: Final = re.compile(r"\A[0-9]{1,15}(?:\.[0-9]{1,9})?\Z", re.ASCII)
UsageKey: TypeAlias = tuple[uuid.UUID, str, dt.datetime]


def hour_of(instant: dt.datetime) -> dt.datetime:
    """The hour of UTC that contains an instant; the meter accepts one event per resource, dimension and hour."""
    return instant.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def _amount(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON
    """None for a value that is not a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    text = str(value).strip()
    return Decimal(text) if _NUMBER.match(text) else None


def _event_id(value: Any) -> uuid.UUID | None:  # noqa: ANN401 - likewise
    return uuid.UUID(value) if isinstance(value, str) and GUID.match(value.lower()) else None


def _required_amount(value: Any) -> Decimal:  # noqa: ANN401 - likewise
    if (amount := _amount(value)) is None:
        raise ValueError("must be a number")
    return amount


def _day(value: Any) -> dt.date:  # noqa: ANN401 - likewise
    return dt.datetime.fromisoformat(value.strip() if isinstance(value, str) else "").date()


_Amount = Annotated[Decimal | None, BeforeValidator(_amount)]
_EventId = Annotated[uuid.UUID | None, BeforeValidator(_event_id)]


@dataclass(frozen=True, slots=True)
class Usage:
    """The units of a dimension that a subscription used, reported for an hour; that hour identifies a repeat."""

    subscription_id: uuid.UUID
    dimension: str
    quantity: int
    plan_id: str
    slot: dt.datetime

    @property
    def key(self) -> UsageKey:
        return self.subscription_id, self.dimension, hour_of(self.slot)

    def document(self) -> dict[str, Any]:
        return {
            "resourceId": str(self.subscription_id),
            "quantity": self.quantity,
            "dimension": self.dimension,
            "effectiveStartTime": self.slot.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "planId": self.plan_id,
        }


class Recorded(MarketplaceModel):
    """The event that was recorded for the hour before."""

    usage_event_id: _EventId = Field(None, alias="usageEventId")
    quantity: _Amount = None


class UsageResult(MarketplaceModel):
    """The result of one event. For a duplicate, `recorded` is the event that counts for its hour."""

    status: RequiredText
    subscription_id: Id = Field(alias="resourceId")
    dimension: RequiredText
    effective_at: Instant = Field(alias="effectiveStartTime")
    usage_event_id: _EventId = Field(None, alias="usageEventId")
    quantity: _Amount = None
    recorded: Recorded = Recorded()

    @property
    def word(self) -> str:
        """The status, if it is a single word that can be stored."""
        return self.status if _WORD.match(self.status) else "Unreadable"

    @property
    def key(self) -> UsageKey | None:
        """None if the hour is missing."""
        if self.effective_at is None:
            return None
        return uuid.UUID(self.subscription_id), self.dimension, hour_of(self.effective_at)

    @model_validator(mode="before")
    @classmethod
    def _flatten_recorded(cls, document: Any) -> Any:  # noqa: ANN401 - any JSON
        recorded = document
        for name in ("error", "additionalInfo", "acceptedMessage"):
            recorded = recorded.get(name) if isinstance(recorded, dict) else None
        return {**document, "recorded": recorded} if isinstance(recorded, dict) else document


class UsageDay(MarketplaceModel):
    """The usage of a subscription and dimension on one day of UTC, and the state of its processing."""

    subscription_id: Id = Field(alias="usageResourceId")
    dimension: RequiredText
    day: Annotated[dt.date, BeforeValidator(_day)] = Field(alias="usageDate")
    quantity: Annotated[Decimal, BeforeValidator(_required_amount)] = Field(alias="submittedQuantity")
    recon_status: Text = Field("", alias="reconStatus")
    offer_id: Text = Field("", alias="offerId")  # empty while it is not processed
    plan_id: Text = Field("", alias="planId")
