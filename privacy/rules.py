"""Erasure requests: states, holds and due dates. Pure."""

import datetime as dt
import uuid
from enum import StrEnum
from typing import Final


DUE_AFTER: Final = dt.timedelta(days=30)  # as the privacy policy promises
WITHDRAWAL_PERIOD: Final = dt.timedelta(days=3)  # before the erasure of a request through the API


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
    """The reason for a delay. Operators set and release the first three; the others end by themselves."""

    LEGAL_CLAIM = "legalClaim"
    LEGAL_OBLIGATION = "legalObligation"
    AUTHORITY_ORDER = "authorityOrder"
    ORGANIZATION_HELD = "organisationHeld"
    LAST_SUPER_ADMIN = "lastSuperAdmin"
    LIVE_SUBSCRIPTION = "liveSubscription"
    UNBILLED_TIME = "unbilledTime"

    @property
    def is_legal(self) -> bool:
        return self in {Hold.LEGAL_CLAIM, Hold.LEGAL_OBLIGATION, Hold.AUTHORITY_ORDER}


HOLD_TEXTS: Final = {
    Hold.LEGAL_CLAIM: "The data is needed to establish, exercise or defend a legal claim.",
    Hold.LEGAL_OBLIGATION: "The law requires the data to be kept for now.",
    Hold.AUTHORITY_ORDER: "An authority has ordered the data to be kept.",
    Hold.ORGANIZATION_HELD: "The law requires the data of the whole organization to be kept for now.",
    Hold.LAST_SUPER_ADMIN: "This is the last super admin. Once there is another one, the erasure continues.",
    Hold.LIVE_SUBSCRIPTION: "The subscription is active. Cancel it in the Marketplace, and the erasure continues.",
    Hold.UNBILLED_TIME: "The last month is not billed yet. Once it is, the erasure continues.",
}
OPEN: Final = (State.REQUESTED, State.VERIFIED, State.SCHEDULED, State.ON_HOLD)
# The states before each state. Done and withdrawn requests have no next state.
MOVES: Final = {
    State.VERIFIED: {State.REQUESTED},
    State.SCHEDULED: {State.VERIFIED, State.ON_HOLD},
    State.ON_HOLD: set(OPEN),  # a legal hold may replace another hold
    State.REQUESTED: {State.ON_HOLD},  # released before the identity check
    State.DONE: {State.SCHEDULED, State.ON_HOLD},  # a hold after the account was closed is too late
    State.WITHDRAWN: set(OPEN),
}


def pseudonym(unique: uuid.UUID) -> str:
    """The name of an erased person from now on. It is random, so it leads to nobody."""
    return f"erased-{unique.hex[:12]}"


def pseudonym_address(name: str) -> str:
    """The e-mail address for a pseudonym, in a domain that belongs to nobody (RFC 2606)."""
    return f"{name}@erased.invalid"
