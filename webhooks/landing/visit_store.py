"""The rows of visits to the landing page. A row is found by the hash of a secret that only its browser has."""

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
_STARTED: Final = sa.select(_v.id, _v.purchase_token, _v.verifier, _v.nonce, _v.taken_at, _v.public_id).where(
    _v.state_hash == bindparam("state"), *_OPEN
)
_CLAIM: Final = (
    landing_visits.update()
    .where(_v.id == bindparam("visit"), _v.taken_at.is_(None))
    .values(taken_at=bindparam("now"), browser_hash=bindparam("new_browser"))
)
_STORE_VISITOR: Final = (
    landing_visits.update()
    .where(_v.id == bindparam("visit"), _v.marketplace_id.is_(None))
    .values(
        purchase_token=None,
        verifier=None,
        nonce=None,
        marketplace_id=bindparam("marketplace"),
        entra_tenant_id=bindparam("tid"),
        entra_object_id=bindparam("oid"),
        name=bindparam("person_name"),
        username=bindparam("user_name"),
        email=bindparam("address"),
        is_guest=bindparam("guest"),
        expires_at=bindparam("until"),
    )
)
_FIND: Final = sa.select(landing_visits).where(
    _v.public_id == bindparam("public"), _v.marketplace_id.is_not(None), *_OPEN
)
_MARK_ACTIVATED: Final = (
    landing_visits.update().where(_v.public_id == bindparam("public")).values(activated_at=bindparam("now"))
)
_REMOVE: Final = landing_visits.delete().where(_v.id == bindparam("visit"))
_SIGN_OUT: Final = landing_visits.delete().where(
    _v.public_id == bindparam("public"), _v.browser_hash == bindparam("browser")
)


@dataclass(frozen=True, slots=True)
class StartedSignIn:
    """A visit whose browser is at the sign-in, with its purchase token sealed. `is_finished`: it came back already."""

    id: int
    public_id: uuid.UUID
    sealed_token: str
    verifier: str
    nonce: str
    is_finished: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of a person who has signed in, to a purchase of their directory."""

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
    """`state` and `browser` are hashes. Without a token the sign-in is for the purchase of another visit."""
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


def find_started(tx: sa.Connection, *, state: str, browser: str, now: dt.datetime) -> StartedSignIn | None:
    row = tx.execute(_STARTED, {"state": state, "browser": browser, "now": now}).first()
    if row is None:
        return None
    secrets = row.purchase_token or "", row.verifier or "", row.nonce or ""
    return StartedSignIn(row.id, row.public_id, *secrets, is_finished=row.taken_at is not None)


def claim(tx: sa.Connection, visit_id: int, *, browser: str, now: dt.datetime) -> bool:
    """Whether the sign-in was still open; one statement decides any race.

    From now on the visit is found by the hash of a new secret, which only this browser gets.
    """
    return tx.execute(_CLAIM, {"visit": visit_id, "new_browser": browser, "now": now}).rowcount == 1


def store_visitor(
    tx: sa.Connection, visit_id: int, marketplace_id: uuid.UUID, principal: Principal, *, until: dt.datetime
) -> None:
    """Stores person and purchase, and removes the secrets of the sign-in."""
    values: dict[str, Any] = {
        "visit": visit_id,
        "marketplace": marketplace_id,
        "tid": uuid.UUID(principal.tid),
        "oid": uuid.UUID(principal.oid),
        "person_name": principal.name,
        "user_name": principal.username,
        "address": principal.email,
        "guest": principal.is_guest,
        "until": until,
    }
    tx.execute(_STORE_VISITOR, values)


def find(tx: sa.Connection, public_id: uuid.UUID, *, browser: str, now: dt.datetime) -> Visit | None:
    """The visit, if it is this browser's and not over."""
    row = tx.execute(_FIND, {"public": public_id, "browser": browser, "now": now}).first()
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


def mark_activated(tx: sa.Connection, public_id: uuid.UUID, *, now: dt.datetime) -> None:
    tx.execute(_MARK_ACTIVATED, {"public": public_id, "now": now})


def remove(tx: sa.Connection, visit_id: int) -> None:
    tx.execute(_REMOVE, {"visit": visit_id})


def sign_out(tx: sa.Connection, public_id: uuid.UUID, *, browser: str) -> None:
    """Removes a visit, if it is this browser's."""
    tx.execute(_SIGN_OUT, {"public": public_id, "browser": browser})
