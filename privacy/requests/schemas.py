"""Erasure requests on the wire."""

import uuid
from typing import Annotated, Self

from pydantic import Field, model_validator

from privacy.requests.store import Request
from privacy.requests.submission import ErasureSubject
from privacy.rules import HOLD_TEXTS, Channel, Hold, Scope, State
from shared.http.parsing import public_id
from shared.http.wire import Instant, WireModel


class RequestErasure(WireModel):
    """`confirm` repeats the person's e-mail address, or for the scope `tenant` the organization's slug."""

    scope: Annotated[Scope, Field(strict=False)] = Scope.PERSON
    user: str | None = Field(None, max_length=64, description="id of a member, for super admins; default: yourself")
    confirm: str = Field(min_length=1, max_length=320)

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if self.scope is Scope.TENANT and self.user is not None:
            raise ValueError("must name a user or the scope tenant, not both")
        return self

    def to_request(self) -> ErasureSubject:
        wanted = None if self.user is None else public_id(self.user) or uuid.UUID(int=0)
        return ErasureSubject(self.scope, wanted, self.confirm)


class ErasureRequest(WireModel):
    """`holdReason` is a code, `holdDetail` its text for people."""

    id: str
    scope: Scope
    user_id: str | None = None
    channel: Channel
    state: State
    hold_reason: Hold | None = None
    hold_detail: str | None = None
    requested_at: Instant
    due_at: Instant
    verified_at: Instant | None = None
    scheduled_for: Instant | None = None
    ended_at: Instant | None = None

    @classmethod
    def of(cls, request: Request) -> Self:
        return cls(
            id=str(request.public_id),
            scope=request.scope,
            user_id=None if request.subject_id is None else str(request.subject_id),
            channel=request.channel,
            state=request.state,
            hold_reason=request.hold,
            hold_detail=None if request.hold is None else HOLD_TEXTS[request.hold],
            requested_at=request.requested_at,
            due_at=request.due_at,
            verified_at=request.verified_at,
            scheduled_for=request.scheduled_for,
            ended_at=request.ended_at,
        )


class ErasureRequests(WireModel):
    items: list[ErasureRequest]
