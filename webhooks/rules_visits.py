"""The secrets of a visit to the landing page: what the browser holds, and what is kept of it."""

import datetime as dt
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Iterable
from typing import Final

from werkzeug.http import dump_cookie


SIGN_IN_WITHIN: Final = dt.timedelta(minutes=10)
CONFIRM_WITHIN: Final = dt.timedelta(minutes=30)
PURCHASE_TOKEN: Final = re.compile(r"\A[\x21-\x7e]{1,4000}\Z")
COOKIE: Final = "timetracker_landing"
_BROWSER: Final = re.compile(r"\A[A-Za-z0-9_-]{43}\Z")


def browser_of(cookies: Iterable[str]) -> str | None:
    """The secret of the browser, out of its cookies of that name; None when it has none of ours."""
    return next(filter(_BROWSER.match, cookies), None)


def new_browser() -> str:
    return secrets.token_urlsafe(32)


def cookie_of(browser: str, *, is_secure: bool) -> str:
    """Lax, since Entra sends the browser back from another site; for as long as a visit may take."""
    lasts = int((SIGN_IN_WITHIN + CONFIRM_WITHIN).total_seconds())
    return dump_cookie(
        COOKIE,
        browser,
        max_age=lasts,
        path="/api/marketplace",
        secure=is_secure,
        httponly=True,
        samesite="Lax",
        sync_expires=False,
    )


def digest(secret: str) -> str:
    """What the database keeps of a secret: enough to know it again."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_token(browser: str, visit: uuid.UUID) -> str:
    """Proves that a form comes from a page of ours, of this visit, in this browser: other sites see no cookie."""
    return hmac.new(browser.encode(), b"activate:" + visit.bytes, hashlib.sha256).hexdigest()


def is_form_token(given: str, browser: str, visit: uuid.UUID) -> bool:
    return hmac.compare_digest(given.encode(), form_token(browser, visit).encode())


def purchase_token(given: str) -> str | None:
    """The token of the link as Microsoft wrote it, plus signs that became blanks put back; None when it is none."""
    token = given.strip().replace(" ", "+")
    return token if PURCHASE_TOKEN.match(token) else None
