"""How it behaves: the odd shapes of the real service, each to be switched on, and how fast its time goes."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Shapes(BaseModel):
    """What documents and observations say the real service may do; where they disagree, either can be had."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    padded_status: bool = False
    quantity: Literal["number", "string", "empty", "null"] = "number"
    unknown_enums: bool = False
    lacking: tuple[str, ...] = ()  # members of subscriptions, terms and operations that are told as null
    minimal_bodies: Literal["never", "reinstate", "all"] = "never"
    suspend_body: Literal["Suspended", "Subscribed"] = "Suspended"
    reinstate_status: Literal["InProgress", "Succeeded"] = "InProgress"
    tokens: Literal["v1", "v2"] = "v2"
    copies: Annotated[int, Field(ge=1, le=50)] = 1
    held: bool = False  # webhooks wait for the order `release`, which may turn their order around
    unanswered: Literal["accept", "wait"] = "accept"  # what becomes of a change whose webhook never succeeded
    revert: Literal["never", "late", "always"] = "late"  # after which rejections a revert is sent
    unknown_operation: Literal[400, 404] = 404
    hidden_notices: bool = False  # Get Operation knows changes and Unsubscribe only
    checks_activation: bool = True  # whether Activate compares the plan, and is refused a second time
    unpriced: tuple[str, ...] = ()  # plans whose price cannot be read
    empty_bodies: bool = True  # empty lists have no body at all
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    next_link: str | None = None  # given instead of the true one
    shuffled_batches: bool = False
    usage_status: Literal["Error", "ResourceNotAuthorized"] | None = None  # told of every event, and none is taken
    recon_status: str = "Accepted"


class Pace(BaseModel):
    """How long things take. The real service waits 10 seconds, and repeats a webhook 500 times in 8 hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ack_seconds: Seconds = 10.0
    answer_seconds: Seconds = 10.0
    retry_seconds: Seconds = 57.6
    retries: Annotated[int, Field(ge=0, le=10_000)] = 500
    activation_seconds: Seconds = 0.0
    purchase_token_seconds: Seconds = 86_400.0


@dataclass(slots=True)
class Behaviour:
    """Both as they are now; orders put others in their place."""

    shapes: Shapes = field(default_factory=Shapes)
    pace: Pace = field(default_factory=Pace)
