"""The rows of visits to the landing page: each is found by what only its browser knows."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.auth.tokens import Principal
from shared.db.schema import landing_visits
from webhooks.landing.sign_in.model import SignInAttempt


_v = landing_visits.c
_OPEN: Final = (_v.browser_hash == bindparam("browser"), _v.expires_at > bindparam("now"))
_ADD: Final = landing_visits.insert().inline()
_BEGUN: Final = sa.select(_v.id, _v.purchase_token, _v.verifier, _v.nonce, _v.taken_at, _v.public_id).where(
    _v.state_hash == bindparam("state"), *_OPEN
)
_TAKE: Final = (
    landing_visits.update()
    .where(_v.id == bindparam("visit"), _v.taken_at.is_(None))
    .values(taken_at=bindparam("now"), browser_hash=bindparam("new_browser"))
)
_SIGNED_IN: Final = (
    landing_visits.update()
    .where(_v.id == bindparam("visit"), _v.marketplace_id.is_(None))
    .values(
        purchase_token=None,
        verifier=None,
        nonce=None,
        marketplace_id=bindparam("marketplace"),
        entra_tenant_id=bindparam("tid"),
        entra_object_id=bindparam("oid"),
        name=bindparam("called"),
        username=bindparam("login"),
        email=bindparam("address"),
        is_guest=bindparam("guest"),
        expires_at=bindparam("until"),
    )
)
_SIGNED: Final = sa.select(landing_visits).where(
    _v.public_id == bindparam("public"), _v.marketplace_id.is_not(None), *_OPEN
)
_ACTIVATED: Final = (
    landing_visits.update().where(_v.public_id == bindparam("public")).values(activated_at=bindparam("now"))
)
_REMOVE: Final = landing_visits.delete().where(_v.id == bindparam("visit"))
_SIGN_OUT: Final = landing_visits.delete().where(
    _v.public_id == bindparam("public"), _v.browser_hash == bindparam("browser")
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A visit whose browser was sent to sign in, its purchase token sealed. `was_taken`: it has come back before."""

    id: int
    public_id: uuid.UUID
    sealed_token: str
    verifier: str
    nonce: str
    was_taken: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of somebody who has signed in, to a purchase of their directory."""

    public_id: uuid.UUID
    marketplace_id: uuid.UUID
    principal: Principal
    is_activated: bool


def add(
    tx: sa.Connection,
    public_id: uuid.UUID,
    attempt: SignInAttempt,
    sealed_token: str | None,
    *,
    state: str,
    browser: str,
    now: dt.datetime,
    until: dt.datetime,
) -> None:
    """`state` and `browser` are hashes; without a token the sign-in is for another visit's purchase."""
    values = {
        "public_id": public_id,
        "browser_hash": browser,
        "state_hash": state,
        "purchase_token": sealed_token,
        "verifier": attempt.verifier,
        "nonce": attempt.nonce,
        "expires_at": until,
        "created_at": now,
    }
    tx.execute(_ADD, values)


def find_begun(tx: sa.Connection, *, state: str, browser: str, now: dt.datetime) -> Begun | None:
    row = tx.execute(_BEGUN, {"state": state, "browser": browser, "now": now}).first()
    if row is None:
        return None
    secrets = row.purchase_token or "", row.verifier or "", row.nonce or ""
    return Begun(row.id, row.public_id, *secrets, was_taken=row.taken_at is not None)


def take(tx: sa.Connection, visit_id: int, *, browser: str, now: dt.datetime) -> bool:
    """Whether nobody came back with it before; one statement decides any race.

    From now on the visit is found by another hash, that of the secret which this browser alone is given.
    """
    return tx.execute(_TAKE, {"visit": visit_id, "new_browser": browser, "now": now}).rowcount == 1


def sign_in(
    tx: sa.Connection, visit_id: int, marketplace_id: uuid.UUID, principal: Principal, *, until: dt.datetime
) -> None:
    """Keeps who signed in for which purchase, and forgets what led there."""
    values: dict[str, Any] = {
        "visit": visit_id,
        "marketplace": marketplace_id,
        "tid": uuid.UUID(principal.tid),
        "oid": uuid.UUID(principal.oid),
        "called": principal.name,
        "login": principal.username,
        "address": principal.email,
        "guest": principal.is_guest,
        "until": until,
    }
    tx.execute(_SIGNED_IN, values)


def find(tx: sa.Connection, public_id: uuid.UUID, *, browser: str, now: dt.datetime) -> Visit | None:
    """The visit of this browser, while it lasts."""
    row = tx.execute(_SIGNED, {"public": public_id, "browser": browser, "now": now}).first()
    if row is None:
        return None
    principal = Principal(
        tid=str(row.entra_tenant_id),
        oid=str(row.entra_object_id),
        name=row.name,
        username=row.username,
        email=row.email,
        is_guest=row.is_guest,
        token_id=None,
    )
    return Visit(row.public_id, row.marketplace_id, principal, row.activated_at is not None)


def note_activation(tx: sa.Connection, public_id: uuid.UUID, *, now: dt.datetime) -> None:
    tx.execute(_ACTIVATED, {"public": public_id, "now": now})


def remove(tx: sa.Connection, visit_id: int) -> None:
    tx.execute(_REMOVE, {"visit": visit_id})


def sign_out(tx: sa.Connection, public_id: uuid.UUID, *, browser: str) -> None:
    """Forgets a visit, if it is this browser's."""
    tx.execute(_SIGN_OUT, {"public": public_id, "browser": browser})
