"""Who a person is, in every row that says so; and the statements that put a pseudonym in its place."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.rules import address
from shared.db.schema import (
    billing_lines,
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
    """Somebody with an account, as its row has them."""

    id: int
    tenant_id: int
    public_id: uuid.UUID
    object_id: uuid.UUID | None
    email: str
    display_name: str
    directory_name: str | None  # NULL for guests, and where it is not known yet
    role: Role
    is_active: bool
    is_restricted: bool
    erased_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Colleague:
    """How somebody else in the tenant is called."""

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
_BY_ROW: Final = _PERSON.where(_users.id == bindparam("user"))
_BY_ROW_FOR_UPDATE: Final = for_update(_BY_ROW, users)
_BY_ID: Final = _PERSON.where(_users.public_id == bindparam("public"))
# An invitation that was merged is its person's: its address names that person.
_NOT_MERGED: Final = _PERSON.where(_users.merged_into.is_(None)).order_by(_users.id)
_NEXT: Final = (
    sa.select(_users.id)
    .where(_OF_TENANT, _users.erased_at.is_(None), _users.id > bindparam("after"))
    .order_by(_users.id)
)
_COLLEAGUES: Final = sa.select(_users.email, _users.display_name, _users.directory_name).where(
    _OF_TENANT, _users.id != bindparam("user"), _users.erased_at.is_(None), _users.entra_object_id.is_not(None)
)
_SHOWN: Final = sa.select(_users.id, _users.public_id).where(
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
_FORGET_ANSWERS: Final = idempotency_keys.delete().where(
    idempotency_keys.c.tenant_id == bindparam("tenant"), idempotency_keys.c.user_id == bindparam("user")
)
_directory = sa.select(tenants.c.entra_tenant_id).where(tenants.c.id == bindparam("tenant"))
_FORGET_VISITS: Final = landing_visits.delete().where(
    landing_visits.c.entra_object_id == bindparam("oid"), landing_visits.c.entra_tenant_id.in_(_directory)
)
_FORGET_NOMINEE: Final = nominees.delete().where(
    nominees.c.tenant_id == bindparam("tenant"), nominees.c.user_id == bindparam("user")
)
_FORGET_KEPT_MENTIONS: Final = kept_mentions.delete().where(
    kept_mentions.c.tenant_id == bindparam("tenant"), kept_mentions.c.subject_user_id == bindparam("user")
)
_FORGET_READINGS: Final = work_item_readers.delete().where(
    work_item_readers.c.tenant_id == bindparam("tenant"), work_item_readers.c.user_id == bindparam("user")
)


def by_row(tx: sa.Connection, tenant_id: int, user_id: int, *, hold: bool = False) -> Person:
    return _person(tx.execute(_BY_ROW_FOR_UPDATE if hold else _BY_ROW, {"tenant": tenant_id, "user": user_id}).one())


def find(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> Person | None:
    row = tx.execute(_BY_ID, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else _person(row)


def find_by_address(tx: sa.Connection, tenant_id: int, address: str) -> list[Person]:
    """Everybody who is shown by the address, in whichever case of ASCII; none of them need hold it any more."""
    rows = tx.execute(_NOT_MERGED, {"tenant": tenant_id})
    return [_person(row) for row in rows if is_same_address(row.email, address)]


def next_person(tx: sa.Connection, tenant_id: int, *, after: int) -> int | None:
    """The row number of the next person who is not erased."""
    return tx.execute(_NEXT, {"tenant": tenant_id, "after": after}).scalars().first()


def colleagues(tx: sa.Connection, person: Person) -> list[Colleague]:
    """Everybody else in the tenant with an account, erased ones left out."""
    rows = tx.execute(_COLLEAGUES, {"tenant": person.tenant_id, "user": person.id})
    return [Colleague(*row) for row in rows]


def shown(tx: sa.Connection, tenant_id: int, viewer: int, row_numbers: Iterable[int | None]) -> dict[int, uuid.UUID]:
    """The ids of those people whose data a user may be shown, by their row numbers."""
    ids = sorted({number for number in row_numbers if number is not None})
    rows = tx.execute(_SHOWN, {"tenant": tenant_id, "ids": ids, "viewer": viewer})
    return {row.id: row.public_id for row in rows}


def erase(
    tx: sa.Connection,
    person: Person,
    pseudonym: str,
    *,
    addresses: Iterable[str],
    public_id: uuid.UUID,
    now: dt.datetime,
) -> None:
    """Puts the pseudonym in the place of the person wherever a row says who they are.

    `addresses` are those that the directory gave the person and nobody else: where the organization is reached at one
    of them, it is no more.
    """
    this = {"tenant": person.tenant_id, "user": person.id}
    called = {"new_email": address(pseudonym), "new_name": pseudonym}
    tx.execute(_FORGET_ANSWERS, this)
    tx.execute(_FORGET_NOMINEE, this)
    tx.execute(_FORGET_KEPT_MENTIONS, this)
    tx.execute(_FORGET_READINGS, this)
    if person.object_id is not None:
        tx.execute(_FORGET_VISITS, {"tenant": person.tenant_id, "oid": person.object_id})
    tx.execute(_ERASE_LINES, {**this, **called})
    admin = tx.execute(_ADMIN, {"tenant": person.tenant_id}).scalar_one()
    if admin is not None and any(is_same_address(admin, each) for each in addresses):
        tx.execute(_ERASE_ADMIN, {"tenant": person.tenant_id, "address": admin})
    tx.execute(_ERASE_ACCOUNT, {**this, **called, "new_public": public_id, "now": now})


def _person(row: sa.Row[Any]) -> Person:
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
