"""A sign-in in progress, as the database stores it while the visitor is at Entra."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Final


_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class SignInTarget:
    """Directory and purpose of a sign-in.

    `directory` is the only one to sign in at; None allows any organization's. `visit` is the earlier visit with the
    purchase, if the sign-in does not start from the Marketplace's link.
    """

    directory: str | None = None
    visit: uuid.UUID | None = None

    @classmethod
    def of(cls, state: str) -> "SignInTarget":
        """The target in a state that is ours, which the caller has checked by its hash."""
        _, directory, visit, _ = state.split(".")
        return cls(directory or None, uuid.UUID(visit) if visit else None)


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """One sign-in. `state` travels through the browser; verifier and nonce stay in our database."""

    state: str
    verifier: str
    nonce: str
    directory: str | None = None

    @classmethod
    def new(cls, target: SignInTarget, visit: uuid.UUID) -> "SignInAttempt":
        """`visit` is the new visit."""
        state = f"{secrets.token_urlsafe(32)}.{target.directory or ''}.{target.visit or ''}.{visit.hex}"
        return cls(state, secrets.token_urlsafe(48), secrets.token_urlsafe(24), target.directory)


def visit_of_state(state: str) -> uuid.UUID | None:
    """The visit that an unchecked state names; None for a malformed state."""
    parts = state.split(".")
    try:
        return uuid.UUID(hex=parts[3]) if len(parts) == _PARTS else None
    except ValueError:
        return None


class CodeRefused(Exception):
    """Entra rejects the code: it was used, is too old, or was issued to another app."""
