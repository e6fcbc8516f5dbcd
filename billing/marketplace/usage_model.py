"""What the meter is told and what it tells: usage, the result of each piece of it, and the days that are listed."""

import datetime as dt
import math
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from billing.marketplace.model import Id, Instant, Needed, Text, Told
from shared.settings import GUID


_WORD: Final = re.compile(r"\A[A-Za-z]{1,40}\Z")
_NUMBER: Final = re.compile(r"\A[0-9]{1,15}(?:\.[0-9]{1,9})?\Z", re.ASCII)
UsageKey: TypeAlias = tuple[uuid.UUID, str, dt.datetime]


def hour_of(instant: dt.datetime) -> dt.datetime:
    """The slot that an instant lies in: the meter takes one event for a resource, dimension and hour of UTC."""
    return instant.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def _amount(value: Any) -> Decimal | None:  # noqa: ANN401 - whatever the answer holds
    """None for what is no number: it is compared with nothing then."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    text = str(value).strip()
    return Decimal(text) if _NUMBER.match(text) else None


def _event_id(value: Any) -> uuid.UUID | None:  # noqa: ANN401 - likewise
    return uuid.UUID(value) if isinstance(value, str) and GUID.match(value.lower()) else None


def _known_amount(value: Any) -> Decimal:  # noqa: ANN401 - likewise
    if (amount := _amount(value)) is None:
        raise ValueError("must be a number")
    return amount


def _day(value: Any) -> dt.date:  # noqa: ANN401 - likewise
    return dt.datetime.fromisoformat(value.strip() if isinstance(value, str) else "").date()


_Amount = Annotated[Decimal | None, BeforeValidator(_amount)]
_EventId = Annotated[uuid.UUID | None, BeforeValidator(_event_id)]


@dataclass(frozen=True, slots=True)
class Usage:
    """Units of a dimension that a subscription used, told for an hour: that hour is what a repeat is known by."""

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


class Recorded(Told):
    """The event that an hour has already."""

    usage_event_id: _EventId = Field(None, alias="usageEventId")
    quantity: _Amount = None


class UsageResult(Told):
    """What became of one event. `recorded` is told of a duplicate, and is what counts for its hour."""

    status: Needed
    subscription_id: Id = Field(alias="resourceId")
    dimension: Needed
    effective_at: Instant = Field(alias="effectiveStartTime")
    usage_event_id: _EventId = Field(None, alias="usageEventId")
    quantity: _Amount = None
    recorded: Recorded = Recorded()

    @property
    def word(self) -> str:
        """The status, where it is a word that can be kept."""
        return self.status if _WORD.match(self.status) else "Unreadable"

    @property
    def key(self) -> UsageKey | None:
        """None where it does not say which hour it is about."""
        if self.effective_at is None:
            return None
        return uuid.UUID(self.subscription_id), self.dimension, hour_of(self.effective_at)

    @model_validator(mode="before")
    @classmethod
    def _find_recorded(cls, told: Any) -> Any:  # noqa: ANN401 - whatever the answer holds
        found = told
        for name in ("error", "additionalInfo", "acceptedMessage"):
            found = found.get(name) if isinstance(found, dict) else None
        return {**told, "recorded": found} if isinstance(found, dict) else told


class UsageDay(Told):
    """What the meter has of a subscription and dimension for one day of UTC, and how far it has been processed."""

    subscription_id: Id = Field(alias="usageResourceId")
    dimension: Needed
    day: Annotated[dt.date, BeforeValidator(_day)] = Field(alias="usageDate")
    quantity: Annotated[Decimal, BeforeValidator(_known_amount)] = Field(alias="submittedQuantity")
    recon_status: Text = Field("", alias="reconStatus")
    offer_id: Text = Field("", alias="offerId")  # empty while it is not processed
    plan_id: Text = Field("", alias="planId")
