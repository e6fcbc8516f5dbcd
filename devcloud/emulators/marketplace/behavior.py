"""The behavior of the emulator: odd responses of the real service, and timing."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


Seconds = Annotated[float, Field(ge=0, le=86_400)]


class ResponseShapes(BaseModel):
    """Documented and observed variants of the real service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    padded_status: bool = False
    quantity: Literal["number", "string", "empty", "null"] = "number"
    unknown_enums: bool = False
    lacking: tuple[str, ...] = ()  # members of subscriptions, terms and operations with null
    minimal_bodies: Literal["never", "reinstate", "all"] = "never"
    suspend_body: Literal["Suspended", "Subscribed"] = "Suspended"
    reinstate_status: Literal["InProgress", "Succeeded"] = "InProgress"
    tokens: Literal["v1", "v2"] = "v2"
    copies: Annotated[int, Field(ge=1, le=50)] = 1
    held: bool = False  # webhooks wait for the command `release`, in any sequence
    unanswered: Literal["accept", "wait"] = "accept"  # result of a change without a successful webhook
    revert: Literal["never", "late", "always"] = "late"  # rejections followed by a revert
    unknown_operation: Literal[400, 404] = 404
    hidden_notices: bool = False  # Get Operation finds only changes and Unsubscribe
    checks_activation: bool = True  # Activate compares the plan and fails the second time
    unpriced: tuple[str, ...] = ()  # plans without a readable price
    empty_bodies: bool = True  # empty lists have no body
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    next_link: str | None = None  # instead of the true link
    shuffled_batches: bool = False
    usage_status: Literal["Error", "ResourceNotAuthorized"] | None = None  # the status of every event; none is accepted
    recon_status: str = "Accepted"


class MarketplacePace(BaseModel):
    """Durations. The real service waits 10 seconds, and repeats a webhook 500 times in 8 hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ack_seconds: Seconds = 10.0
    answer_seconds: Seconds = 10.0
    retry_seconds: Seconds = 57.6
    retries: Annotated[int, Field(ge=0, le=10_000)] = 500
    activation_seconds: Seconds = 0.0
    purchase_token_seconds: Seconds = 86_400.0


@dataclass(slots=True)
class Behavior:
    """The present shapes and timing; commands replace them."""

    shapes: ResponseShapes = field(default_factory=ResponseShapes)
    pace: MarketplacePace = field(default_factory=MarketplacePace)
