"""The life of a request for erasure: its states, what may hold it up, and by when it is done; pure."""

import datetime as dt
import uuid
from enum import StrEnum
from typing import Final


DUE: Final = dt.timedelta(days=30)  # the policy's word
PAUSE: Final = dt.timedelta(days=3)  # in which whoever asked may take it back


class Scope(StrEnum):
    PERSON = "person"
    TENANT = "tenant"


class Channel(StrEnum):
    SELF = "self"
    SUPER_ADMIN = "superAdmin"
    OPERATOR = "operator"


class State(StrEnum):
    REQUESTED = "requested"
    VERIFIED = "verified"
    SCHEDULED = "scheduled"
    ON_HOLD = "onHold"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class Right(StrEnum):
    """Each stops the processing of a person's data while it is in force."""

    RESTRICTION = "restriction"  # GDPR article 18
    OBJECTION = "objection"  # GDPR article 21
    CONSENT = "consentWithdrawn"  # GDPR article 7, DPDP section 6


class Hold(StrEnum):
    """Why an erasure waits. The first three are an operator's to set and release; the others end by themselves."""

    LEGAL_CLAIM = "legalClaim"
    LEGAL_OBLIGATION = "legalObligation"
    AUTHORITY_ORDER = "authorityOrder"
    ORGANISATION_HELD = "organisationHeld"
    LAST_SUPER_ADMIN = "lastSuperAdmin"
    LIVE_SUBSCRIPTION = "liveSubscription"
    UNBILLED_TIME = "unbilledTime"

    @property
    def is_legal(self) -> bool:
        return self in {Hold.LEGAL_CLAIM, Hold.LEGAL_OBLIGATION, Hold.AUTHORITY_ORDER}


WHY: Final = {
    Hold.LEGAL_CLAIM: "The data is needed to establish, exercise or defend a legal claim.",
    Hold.LEGAL_OBLIGATION: "The law requires the data to be kept for now.",
    Hold.AUTHORITY_ORDER: "An authority has ordered the data to be kept.",
    Hold.ORGANISATION_HELD: "The law requires the data of the whole organisation to be kept for now.",
    Hold.LAST_SUPER_ADMIN: "This is the last super admin. It goes on once somebody else is a super admin.",
    Hold.LIVE_SUBSCRIPTION: "The subscription is live. It goes on once it is cancelled in the Azure Marketplace.",
    Hold.UNBILLED_TIME: "The last month is not billed yet. It goes on once it is.",
}
OPEN: Final = (State.REQUESTED, State.VERIFIED, State.SCHEDULED, State.ON_HOLD)
# From which states which may be reached; what is done or withdrawn stays so.
MOVES: Final = {
    State.VERIFIED: {State.REQUESTED},
    State.SCHEDULED: {State.VERIFIED, State.ON_HOLD},
    State.ON_HOLD: set(OPEN),  # a legal hold may take the place of another
    State.REQUESTED: {State.ON_HOLD},  # released before anybody has checked who asked
    State.DONE: {State.SCHEDULED, State.ON_HOLD},  # a hold that came after the account was closed came too late
    State.WITHDRAWN: set(OPEN),
}


def pseudonym(unique: uuid.UUID) -> str:
    """What stands for an erased person from now on: random, so nothing leads back."""
    return f"erased-{unique.hex[:12]}"


def address(name: str) -> str:
    """In the place of an e-mail address; the domain belongs to nobody, ever (RFC 2606)."""
    return f"{name}@erased.invalid"
