"""The secrets of a visit to the landing page: what the browser holds, and what is kept of it."""

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from werkzeug.http import dump_cookie


SIGN_IN_WITHIN: Final = dt.timedelta(minutes=10)
CONFIRM_WITHIN: Final = dt.timedelta(minutes=30)
PURCHASE_TOKEN: Final = re.compile(r"\A[\x21-\x7e]{1,4000}\Z")
_HOST_ONLY: Final = "__Host-"  # browsers take such a name from this host by https only, for its whole path
_COOKIE: Final = "timetracker_landing-"
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Session:
    """A visit and the secret of its browser, which is another one before and after the sign-in."""

    visit: uuid.UUID
    secret: str

    @classmethod
    def new(cls, visit: uuid.UUID) -> "Session":
        return cls(visit, secrets.token_urlsafe(32))


def sessions_of(cookies: Iterable[tuple[str, str]], *, is_secure: bool) -> Mapping[uuid.UUID, str]:
    """The secrets by visit out of a browser's cookies.

    Where our address is https only cookies count that no other host can have set. On plain http, which is this machine
    alone, browsers refuse such names.
    """
    prefix = _name(is_secure=is_secure)
    return {
        uuid.UUID(name.removeprefix(prefix)): value
        for name, value in cookies
        if name.startswith(prefix) and _NAME.fullmatch(name.removeprefix(prefix)) and _SECRET.fullmatch(value)
    }


def cookie_of(session: Session, *, is_secure: bool, is_over: bool = False) -> str:
    """Lax, since Entra sends the browser back from another site; for as long as a visit may take.

    Each visit has a cookie of its own, so that two purchases can be open at once.
    """
    lasts = int((SIGN_IN_WITHIN + CONFIRM_WITHIN).total_seconds())
    return dump_cookie(
        f"{_name(is_secure=is_secure)}{session.visit.hex}",
        session.secret,
        max_age=0 if is_over else lasts,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="Lax",
        sync_expires=False,
    )


def _name(*, is_secure: bool) -> str:
    return f"{_HOST_ONLY if is_secure else ''}{_COOKIE}"


def digest(secret: str) -> str:
    """What the database keeps of a secret: enough to know it again."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_token(session: Session) -> str:
    """Proves that a form comes from a page of ours, of this visit, in this browser: other sites see no cookie."""
    return _mac(session.secret, b"form:" + session.visit.bytes).hex()


def is_form_token(given: str, session: Session) -> bool:
    return hmac.compare_digest(given.encode(), form_token(session).encode())


def directory_proof(secret: str, directory: str) -> str:
    """Proves that a page of ours sent this browser to sign in at a directory."""
    return _mac(secret, b"directory:" + directory.encode()).hex()


def is_directory_proof(given: str, secrets_held: Iterable[str], directory: str) -> bool:
    """Whether one of the browser's secrets made the proof."""
    return any(hmac.compare_digest(given.encode(), directory_proof(each, directory).encode()) for each in secrets_held)


def seal(token: str, secret: str) -> str:
    """The purchase token as the database keeps it: only the browser's secret opens it."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(_token_key(secret)).encrypt(nonce, token.encode(), None)).decode()


def unseal(sealed: str, secret: str) -> str | None:
    """The purchase token; None where it was sealed with another secret."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
        return AESGCM(_token_key(secret)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None).decode()
    except (InvalidTag, ValueError):
        return None


def _token_key(secret: str) -> bytes:
    return _mac(secret, b"purchase token")


def _mac(secret: str, message: bytes) -> bytes:
    return hmac.digest(secret.encode(), message, hashlib.sha256)


def purchase_token(given: str) -> str | None:
    """The token of the link as Microsoft wrote it, plus signs that became blanks put back; None when it is none."""
    token = given.strip().replace(" ", "+")
    return token if PURCHASE_TOKEN.match(token) else None
