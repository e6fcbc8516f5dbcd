"""The secrets of a visit to the landing page: cookies for the browser, hashes and sealed tokens for the database."""

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
_HOST_ONLY: Final = "__Host-"  # browsers accept such a cookie only from this host, by https and for all paths
_COOKIE: Final = "timetracker_landing-"
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Session:
    """A visit and the secret of its browser. The sign-in replaces the secret."""

    visit: uuid.UUID
    secret: str

    @classmethod
    def new(cls, visit: uuid.UUID) -> "Session":
        return cls(visit, secrets.token_urlsafe(32))


def parse_sessions(cookies: Iterable[tuple[str, str]], *, is_secure: bool) -> Mapping[uuid.UUID, str]:
    """The secrets by visit from a browser's cookies.

    With https only cookies count that no other host can set. Browsers refuse their names with http, which only a local
    host uses.
    """
    prefix = _name(is_secure=is_secure)
    return {
        uuid.UUID(name.removeprefix(prefix)): value
        for name, value in cookies
        if name.startswith(prefix) and _NAME.fullmatch(name.removeprefix(prefix)) and _SECRET.fullmatch(value)
    }


def to_cookie(session: Session, *, is_secure: bool, is_over: bool = False) -> str:
    """The cookie of one visit, so two purchases can be open at once. It lasts as long as a visit.

    Lax, since Entra sends the browser back from another site.
    """
    seconds = int((SIGN_IN_WITHIN + CONFIRM_WITHIN).total_seconds())
    return dump_cookie(
        f"{_name(is_secure=is_secure)}{session.visit.hex}",
        session.secret,
        max_age=0 if is_over else seconds,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="Lax",
        sync_expires=False,
    )


def _name(*, is_secure: bool) -> str:
    return f"{_HOST_ONLY if is_secure else ''}{_COOKIE}"


def digest(secret: str) -> str:
    """The hash of a secret, which the database stores."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_token(session: Session) -> str:
    """Proves that a form comes from our page in this browser, since other sites cannot read the cookie."""
    return _mac(session.secret, b"form:" + session.visit.bytes).hex()


def is_form_token(value: str, session: Session) -> bool:
    return hmac.compare_digest(value.encode(), form_token(session).encode())


def directory_proof(secret: str, directory: str) -> str:
    """Proves that our page sent this browser to the sign-in of a directory."""
    return _mac(secret, b"directory:" + directory.encode()).hex()


def is_directory_proof(value: str, browser_secrets: Iterable[str], directory: str) -> bool:
    """Whether the proof was made with one of the browser's secrets."""
    proofs = (directory_proof(each, directory) for each in browser_secrets)
    return any(hmac.compare_digest(value.encode(), proof.encode()) for proof in proofs)


def seal(token: str, secret: str) -> str:
    """The purchase token, encrypted with the browser's secret."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(_token_key(secret)).encrypt(nonce, token.encode(), None)).decode()


def unseal(sealed: str, secret: str) -> str | None:
    """The purchase token; None if it was sealed with another secret."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
        return AESGCM(_token_key(secret)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None).decode()
    except (InvalidTag, ValueError):
        return None


def _token_key(secret: str) -> bytes:
    return _mac(secret, b"purchase token")


def _mac(secret: str, message: bytes) -> bytes:
    return hmac.digest(secret.encode(), message, hashlib.sha256)


def purchase_token(text: str) -> str | None:
    """The token of the Marketplace's link, with blanks turned back into plus signs; None if it is malformed."""
    token = text.replace(" ", "+")  # nothing is trimmed: a blank at an end was a plus sign, too
    return token if PURCHASE_TOKEN.match(token) else None
