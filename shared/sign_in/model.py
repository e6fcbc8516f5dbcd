"""A sign-in under way, as the database keeps it while its person is at Entra."""

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way. `state` goes through the browser; verifier and nonce stay with us."""

    state: str
    verifier: str
    nonce: str

    @classmethod
    def new(cls) -> "Attempt":
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(48), secrets.token_urlsafe(24))


class CodeRefused(Exception):
    """Entra gives no token for the code: it was used, is too old, or is not ours."""
