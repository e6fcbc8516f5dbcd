"""A sign-in under way, as the database keeps it while its person is at Entra."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Final


_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a sign-in is begun, and for which visit.

    `directory` is the id of the only one that it is begun at; None is any organization's. `visit` is the one whose
    purchase it is for, where the link of the purchase is no longer known.
    """

    directory: str | None = None
    visit: uuid.UUID | None = None

    @classmethod
    def of(cls, state: str) -> "Aim":
        """What a state says that is known to be ours, as a whole, since its hash was kept."""
        _, directory, visit, _ = state.split(".")
        return cls(directory or None, uuid.UUID(visit) if visit else None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way. `state` goes through the browser; verifier and nonce stay with us."""

    state: str
    verifier: str
    nonce: str
    directory: str | None = None

    @classmethod
    def new(cls, aim: Aim, own: uuid.UUID) -> "Attempt":
        """`own` is the id of the visit that the sign-in makes."""
        state = f"{secrets.token_urlsafe(32)}.{aim.directory or ''}.{aim.visit or ''}.{own.hex}"
        return cls(state, secrets.token_urlsafe(48), secrets.token_urlsafe(24), aim.directory)


def own_visit(state: str) -> uuid.UUID | None:
    """The visit that a state says it belongs to, which nobody has checked; None for what is no state of ours."""
    parts = state.split(".")
    try:
        return uuid.UUID(hex=parts[3]) if len(parts) == _PARTS else None
    except ValueError:
        return None


class CodeRefused(Exception):
    """Entra gives no token for the code: it was used, is too old, or is not ours."""
