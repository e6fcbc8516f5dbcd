"""A sign-in in progress, stored in the database while the person is at Entra."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Final


_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class SignInTarget:
    """The directory and the visit of a sign-in.

    `directory` is the id of the only directory that may sign in; None is any organization's. `visit` has the purchase
    of the sign-in, if the link of the purchase is no longer known.
    """

    directory: str | None = None
    visit: uuid.UUID | None = None

    @classmethod
    def parse(cls, state: str) -> "SignInTarget":
        """Parses a state that is known to be ours, since its hash was stored."""
        _, directory, visit, _ = state.split(".")
        return cls(directory or None, uuid.UUID(visit) if visit else None)


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """A sign-in in progress. `state` goes through the browser; verifier and nonce stay here."""

    state: str
    verifier: str
    nonce: str
    directory: str | None = None

    @classmethod
    def new(cls, target: SignInTarget, own: uuid.UUID) -> "SignInAttempt":
        """`own` is the id of the visit that the sign-in creates."""
        state = f"{secrets.token_urlsafe(32)}.{target.directory or ''}.{target.visit or ''}.{own.hex}"
        return cls(state, secrets.token_urlsafe(48), secrets.token_urlsafe(24), target.directory)


def parse_own_visit(state: str) -> uuid.UUID | None:
    """The visit id in an unchecked state; None if the state is not ours."""
    parts = state.split(".")
    try:
        return uuid.UUID(hex=parts[3]) if len(parts) == _PARTS else None
    except ValueError:
        return None


class CodeRefused(Exception):
    """Entra refuses the code: it was used before, has expired, or is not ours."""
