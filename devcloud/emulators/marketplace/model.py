"""The state of the emulator: subscriptions, operations, purchase tokens and usage, stored in a file."""

import datetime as dt
import math
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field


Status = Literal["PendingFulfillmentStart", "Subscribed", "Suspended", "Unsubscribed"]
Action = Literal["ChangePlan", "ChangeQuantity", "Renew", "Suspend", "Reinstate", "Unsubscribe"]
Progress = Literal["InProgress", "Succeeded", "Failed"]
Source = Literal["Azure", "Partner"]
CHANGES: Final = ("ChangePlan", "ChangeQuantity")
PAST: Final = -math.inf


class Party(BaseModel):
    email: str
    oid: str
    tid: str

    def document(self) -> dict[str, str]:
        return {
            "emailId": self.email,
            "objectId": self.oid,
            "tenantId": self.tid,
            "puid": f"1003{self.oid[:8].upper()}",
        }


class Subscription(BaseModel):
    """The status `Subscribed` shows from `visible_at` (monotonic seconds), since the real service has a delay."""

    id: str
    name: str
    offer_id: str
    plan_id: str
    quantity: int | None
    beneficiary: Party
    purchaser: Party
    status: Status = "PendingFulfillmentStart"
    term_unit: str = "P1M"
    starts_on: dt.date | None = None
    ends_on: dt.date | None = None
    created_at: dt.datetime
    cancelled_at: dt.datetime | None = None
    resold: bool = False
    is_free_trial: bool = False
    visible_at: float = Field(PAST, exclude=True)


class Operation(BaseModel):
    """`due` (monotonic seconds) is the time of acceptance without a response."""

    id: str
    subscription_id: str
    action: Action
    plan_id: str
    quantity: int | None
    source: Source
    status: Progress
    created_at: dt.datetime
    due: float = Field(PAST, exclude=True)
    before: tuple[str, int | None]  # plan and quantity for a revert
    acknowledged: bool = False
    is_revert: bool = False


class PurchaseToken(BaseModel):
    subscription_id: str
    expires_at: dt.datetime


class Usage(BaseModel):
    """An accepted usage event with its time of arrival."""

    id: str
    resource_id: str
    dimension: str
    quantity: float
    effective: str
    slot: dt.datetime
    plan_id: str
    told_at: dt.datetime


class State(BaseModel):
    subscriptions: dict[str, Subscription] = {}
    operations: dict[str, Operation] = {}
    tokens: dict[str, PurchaseToken] = {}
    usage: list[Usage] = []


class StateFile:
    """The state, stored in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.state = State.model_validate_json(file.read_text()) if file.exists() else State()

    def save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".new")
        temporary.write_text(self.state.model_dump_json())
        temporary.replace(self._file)
