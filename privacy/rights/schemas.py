"""Privacy preferences on the wire. The nominee itself is only in the person's own export."""

from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import Field, model_validator

from privacy.requests.schemas import ErasureRequest
from privacy.requests.store import Request
from privacy.rights.store import Rights
from privacy.rules import Right
from shared.http.wire import Instant, Name, Text320, WireModel


class ChangeRights(WireModel):
    """True puts a right into force, false lifts it; an omitted one stays."""

    restricted: bool | None = None
    objected: bool | None = None
    consent_withdrawn: bool | None = None

    @model_validator(mode="after")
    def _require_change(self) -> Self:
        if not self.to_wanted():
            raise ValueError("must change something: restricted, objected, consentWithdrawn")
        return self

    def to_wanted(self) -> Mapping[Right, bool]:
        wanted = {
            Right.RESTRICTION: self.restricted,
            Right.OBJECTION: self.objected,
            Right.CONSENT: self.consent_withdrawn,
        }
        return {right: is_wanted for right, is_wanted in wanted.items() if is_wanted is not None}


class NameNominee(WireModel):
    name: Name = Field(examples=["Charles Babbage"])
    contact: Text320 = Field(examples=["charles@example.com"])


class Privacy(WireModel):
    """`processingStopped`: no new time is tracked, and your time is visible to you alone."""

    processing_stopped: bool
    restricted_at: Instant | None = None
    objected_at: Instant | None = None
    consent_withdrawn_at: Instant | None = None
    nominee_named_at: Instant | None = None
    erasure: ErasureRequest | None = None

    @classmethod
    def of(cls, rights: Rights, request: Request | None) -> Self:
        since: Iterable[object] = (rights.restricted_at, rights.objected_at, rights.consent_withdrawn_at)
        return cls(
            processing_stopped=any(at is not None for at in since),
            restricted_at=rights.restricted_at,
            objected_at=rights.objected_at,
            consent_withdrawn_at=rights.consent_withdrawn_at,
            nominee_named_at=rights.nominee_named_at,
            erasure=None if request is None else ErasureRequest.of(request),
        )
