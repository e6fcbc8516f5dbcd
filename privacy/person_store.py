"""Reads a person's identity, and replaces it by a pseudonym in every row."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.rules import pseudonym_address
from shared.db.schema import (
    billing_lines,
    favorites,
    idempotency_keys,
    kept_mentions,
    landing_visits,
    nominees,
    tenants,
    users,
    work_item_readers,
)
from shared.db.statements import for_update
from shared.tenancy.model import Role
from shared.tenancy.store import restricted_since, visible_to
from tenants import is_same_address


@dataclass(frozen=True, slots=True)
class Person:
    """An account. Unlike `people.Person` it has the e-mail address and the directory id, which an erasure removes."""

    id: int
    tenant_id: int
    public_id: uuid.UUID
    object_id: uuid.UUID | None
    email: str
    display_name: str
    directory_name: str | None  # NULL for guests, and until the first sign-in with one
    role: Role
    is_active: bool
    is_restricted: bool
    erased_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Colleague:
    """The names of another person in the tenant."""

    email: str
    display_name: str
    directory_name: str | None


_users, _lines = users.c, billing_lines.c
_OF_TENANT: Final = _users.tenant_id == bindparam("tenant")
_PERSON: Final[sa.Select[Any]] = sa.select(
    _users.id,
    _users.tenant_id,
    _users.public_id,
    _users.entra_object_id.label("object_id"),
    _users.email,
    _users.display_name,
    _users.directory_name,
    _users.role,
    _users.is_active,
    restricted_since(users).label("restricted_since"),
    _users.erased_at,
).where(_OF_TENANT)
_BY_ID: Final = _PERSON.where(_users.id == bindparam("user"))
_BY_ID_FOR_UPDATE: Final = for_update(_BY_ID, users)
_BY_PUBLIC_ID: Final = _PERSON.where(_users.public_id == bindparam("public"))
# Without merged invitations: their addresses name the person that they were merged into.
_NOT_MERGED: Final = _PERSON.where(_users.merged_into.is_(None)).order_by(_users.id)
_NEXT: Final = (
    sa.select(_users.id)
    .where(_OF_TENANT, _users.erased_at.is_(None), _users.id > bindparam("after"))
    .order_by(_users.id)
)
_COLLEAGUES: Final = sa.select(_users.email, _users.display_name, _users.directory_name).where(
    _OF_TENANT, _users.id != bindparam("user"), _users.erased_at.is_(None), _users.entra_object_id.is_not(None)
)
_VISIBLE: Final = sa.select(_users.id, _users.public_id).where(
    _OF_TENANT, _users.id.in_(bindparam("ids", expanding=True)), visible_to(users, bindparam("viewer"))
)
_ERASE_ACCOUNT: Final = (
    users.update()
    .where(_OF_TENANT, _users.id == bindparam("user"), _users.erased_at.is_(None))
    .values(
        public_id=bindparam("new_public"),
        entra_object_id=None,
        email=bindparam("new_email"),
        email_key=None,
        invitation_ends_at=None,
        invited_object_id=None,
        display_name=bindparam("new_name"),
        directory_name=None,
        role=Role.USER.value,
        pending_role=None,
        erased_at=bindparam("now"),
        updated_at=bindparam("now"),
        version=_users.version + 1,
    )
)
_ERASE_LINES: Final = (
    billing_lines.update()
    .where(_lines.tenant_id == bindparam("tenant"), _lines.user_id == bindparam("user"))
    .values(email=bindparam("new_email"), display_name=bindparam("new_name"))
)
_ADMIN: Final = sa.select(tenants.c.admin_email).where(tenants.c.id == bindparam("tenant"))
_ERASE_ADMIN: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"), tenants.c.admin_email == bindparam("address"))
    .values(admin_email=None)
)
_DELETE_RESPONSES: Final = idempotency_keys.delete().where(
    idempotency_keys.c.tenant_id == bindparam("tenant"), idempotency_keys.c.user_id == bindparam("user")
)
_directory = sa.select(tenants.c.entra_tenant_id).where(tenants.c.id == bindparam("tenant"))
_DELETE_VISITS: Final = landing_visits.delete().where(
    landing_visits.c.entra_object_id == bindparam("oid"), landing_visits.c.entra_tenant_id.in_(_directory)
)
_DELETE_NOMINEE: Final = nominees.delete().where(
    nominees.c.tenant_id == bindparam("tenant"), nominees.c.user_id == bindparam("user")
)
_DELETE_KEPT_MENTIONS: Final = kept_mentions.delete().where(
    kept_mentions.c.tenant_id == bindparam("tenant"), kept_mentions.c.subject_user_id == bindparam("user")
)
_DELETE_READINGS: Final = work_item_readers.delete().where(
    work_item_readers.c.tenant_id == bindparam("tenant"), work_item_readers.c.user_id == bindparam("user")
)
_DELETE_FAVORITES: Final = favorites.delete().where(
    favorites.c.tenant_id == bindparam("tenant"), favorites.c.user_id == bindparam("user")
)


def read(tx: sa.Connection, tenant_id: int, user_id: int, *, lock: bool = False) -> Person:
    return _build_person(
        tx.execute(_BY_ID_FOR_UPDATE if lock else _BY_ID, {"tenant": tenant_id, "user": user_id}).one()
    )


def find(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> Person | None:
    row = tx.execute(_BY_PUBLIC_ID, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else _build_person(row)


def find_by_address(tx: sa.Connection, tenant_id: int, address: str) -> list[Person]:
    """All accounts with the address, in any case of ASCII letters. Their people may have another address by now."""
    rows = tx.execute(_NOT_MERGED, {"tenant": tenant_id})
    return [_build_person(row) for row in rows if is_same_address(row.email, address)]


def find_next_id(tx: sa.Connection, tenant_id: int, *, after: int) -> int | None:
    """The next person who is not erased, by row number."""
    return tx.execute(_NEXT, {"tenant": tenant_id, "after": after}).scalars().first()


def list_colleagues(tx: sa.Connection, person: Person) -> list[Colleague]:
    """All other people of the tenant with a sign-in, without erased ones."""
    rows = tx.execute(_COLLEAGUES, {"tenant": person.tenant_id, "user": person.id})
    return [Colleague(*row) for row in rows]


def list_visible_ids(
    tx: sa.Connection, tenant_id: int, viewer: int, row_numbers: Iterable[int | None]
) -> dict[int, uuid.UUID]:
    """The public ids of the people whose data a user may see, by row number."""
    ids = sorted({number for number in row_numbers if number is not None})
    rows = tx.execute(_VISIBLE, {"tenant": tenant_id, "ids": ids, "viewer": viewer})
    return {row.id: row.public_id for row in rows}


def replace_identity(
    tx: sa.Connection,
    person: Person,
    pseudonym: str,
    *,
    addresses: Iterable[str],
    public_id: uuid.UUID,
    now: dt.datetime,
) -> None:
    """Replaces the person's identity by the pseudonym in all rows.

    `addresses` are those that the directory gave to the person alone. The organization loses its admin's address if it
    is one of them.
    """
    key = {"tenant": person.tenant_id, "user": person.id}
    identity = {"new_email": pseudonym_address(pseudonym), "new_name": pseudonym}
    tx.execute(_DELETE_RESPONSES, key)
    tx.execute(_DELETE_NOMINEE, key)
    tx.execute(_DELETE_KEPT_MENTIONS, key)
    tx.execute(_DELETE_READINGS, key)
    tx.execute(_DELETE_FAVORITES, key)
    if person.object_id is not None:
        tx.execute(_DELETE_VISITS, {"tenant": person.tenant_id, "oid": person.object_id})
    tx.execute(_ERASE_LINES, {**key, **identity})
    admin = tx.execute(_ADMIN, {"tenant": person.tenant_id}).scalar_one()
    if admin is not None and any(is_same_address(admin, each) for each in addresses):
        tx.execute(_ERASE_ADMIN, {"tenant": person.tenant_id, "address": admin})
    tx.execute(_ERASE_ACCOUNT, {**key, **identity, "new_public": public_id, "now": now})


def _build_person(row: sa.Row[Any]) -> Person:
    return Person(
        id=row.id,
        tenant_id=row.tenant_id,
        public_id=row.public_id,
        object_id=row.object_id,
        email=row.email,
        display_name=row.display_name,
        directory_name=row.directory_name,
        role=Role(row.role),
        is_active=row.is_active,
        is_restricted=row.restricted_since is not None,
        erased_at=row.erased_at,
    )
