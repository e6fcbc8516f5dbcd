"""A sign-in under way, as the database keeps it while its person is at Entra."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Final


_PARTS: Final = 3


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
        parts = state.split(".")
        if len(parts) != _PARTS:
            return cls()
        return cls(parts[1] or None, uuid.UUID(parts[2]) if parts[2] else None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way. `state` goes through the browser; verifier and nonce stay with us."""

    state: str
    verifier: str
    nonce: str
    directory: str | None = None

    @classmethod
    def new(cls, aim: Aim) -> "Attempt":
        state = f"{secrets.token_urlsafe(32)}.{aim.directory or ''}.{aim.visit or ''}"
        return cls(state, secrets.token_urlsafe(48), secrets.token_urlsafe(24), aim.directory)


class CodeRefused(Exception):
    """Entra gives no token for the code: it was used, is too old, or is not ours."""
