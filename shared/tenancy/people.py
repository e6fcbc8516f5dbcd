"""Resolves person ids of requests: the caller's own, and a colleague's for callers who see everyone."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users
from shared.db.statements import for_update
from shared.errors import NotFound
from shared.tenancy.model import Caller
from shared.tenancy.rules import processing_restricted
from shared.tenancy.store import restricted_since


ME: Final = "me"  # the caller, in a filter


@dataclass(frozen=True, slots=True)
class Person:
    """The identity of a user. `restricted_since` is set while processing of their data is stopped."""

    id: int
    public_id: uuid.UUID
    display_name: str
    restricted_since: dt.datetime | None
    is_erased: bool = False


_OF_TENANT: Final = users.c.tenant_id == bindparam("tenant")
_BY_PUBLIC_ID: Final = sa.select(
    users.c.id,
    users.c.public_id,
    users.c.display_name,
    restricted_since(users).label("restricted_since"),
    users.c.erased_at.is_not(None).label("is_erased"),
).where(_OF_TENANT, users.c.public_id == bindparam("public"), users.c.merged_into.is_(None))
_RESTRICTED_SINCE: Final = sa.select(restricted_since(users)).where(_OF_TENANT, users.c.id == bindparam("user"))
_PUBLIC_ID: Final = sa.select(users.c.public_id).where(_OF_TENANT, users.c.id == bindparam("user"))
_LOCK: Final = for_update(_PUBLIC_ID, users)


def resolve(tx: sa.Connection, caller: Caller, public_id: str | uuid.UUID | None, *, everyone: bool) -> Person:
    """The person with a public id; without an id the caller, without a query.

    Raises:
        NotFound: no person of the tenant has the id, or the caller sees only themselves.
        Forbidden: processing of the person's data is stopped.
    """
    own = caller.user
    if public_id is None or str(public_id).lower() == str(own.public_id):
        return Person(own.id, own.public_id, own.display_name, own.restricted_since)
    person = find(tx, caller.tenant.id, public_id) if everyone else None
    if person is None:
        raise not_found()
    if person.restricted_since is not None:
        raise processing_restricted()
    return person


def resolve_filter(
    tx: sa.Connection, caller: Caller, public_id: str | uuid.UUID | None, *, everyone: bool
) -> Person | None:
    """As `resolve`, for filters: without an id None for callers who see everyone; `me` is the caller.

    Raises:
        NotFound, Forbidden: as `resolve`.
    """
    if public_id is None and everyone:
        return None
    return resolve(tx, caller, None if public_id == ME else public_id, everyone=everyone)


def find(tx: sa.Connection, tenant_id: int, wanted: str | uuid.UUID) -> Person | None:
    """The person with a public id; None for other text and for merged invitations."""
    try:
        public_id = wanted if isinstance(wanted, uuid.UUID) else uuid.UUID(wanted)
    except ValueError:
        return None
    row = tx.execute(_BY_PUBLIC_ID, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else Person(*row)


def is_restricted(tx: sa.Connection, tenant_id: int, user_id: int) -> bool:
    return tx.execute(_RESTRICTED_SINCE, {"tenant": tenant_id, "user": user_id}).scalar() is not None


def public_id_of(tx: sa.Connection, caller: Caller, user_id: int) -> uuid.UUID:
    """The public id of a user; the caller's without a query."""
    if user_id == caller.user.id:
        return caller.user.public_id
    public_id: uuid.UUID = tx.execute(_PUBLIC_ID, {"tenant": caller.tenant.id, "user": user_id}).scalar_one()
    return public_id


def lock(tx: sa.Connection, tenant_id: int, user_id: int) -> None:
    """Locks a user's row as their own writing calls do, so that changes of their time by others run in order."""
    tx.execute(_LOCK, {"tenant": tenant_id, "user": user_id})


def not_found() -> NotFound:
    return NotFound("There is no such person in your organization.")
