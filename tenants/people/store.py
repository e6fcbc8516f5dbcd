"""Reads the accounts of a tenant's people, and inserts invitations."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users
from shared.db.statements import InsertIfAbsent, for_update
from shared.http.paging import TimeCursor
from shared.tenancy.model import AuthProvider, Role, User
from shared.tenancy.store import USER_COLUMNS, to_user


@dataclass(frozen=True, slots=True)
class Account:
    """A user as admins see it. Without an `object_id` it is an invitation that nobody has claimed."""

    user: User
    object_id: uuid.UUID | None
    invitation_ends_at: dt.datetime | None
    invited_by: uuid.UUID | None
    created_at: dt.datetime
    version: int


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation to insert; its role is user until it is claimed."""

    public_id: uuid.UUID
    email: str
    email_key: str | None
    display_name: str
    pending_role: Role | None
    invited_by: int
    invitation_ends_at: dt.datetime
    invited_object_id: uuid.UUID | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class AccountFilters:
    """None lets every account through."""

    role: Role | None = None
    is_active: bool | None = None
    auth_provider: AuthProvider | None = None


_users = users.c
_inviters = users.alias("inviters")
_OF_TENANT: Final = _users.tenant_id == bindparam("tenant")
_ACCOUNT: Final[sa.Select[Any]] = (
    sa.select(
        *USER_COLUMNS,
        _users.entra_object_id,
        _users.invitation_ends_at,
        _users.created_at,
        _users.version,
        _inviters.c.public_id.label("invited_by"),
    )
    .outerjoin(_inviters, sa.and_(_inviters.c.tenant_id == _users.tenant_id, _inviters.c.id == _users.invited_by))
    # nobody manages an erased person, and a merged invitation is part of its person
    .where(_OF_TENANT, _users.erased_at.is_(None), _users.merged_into.is_(None))
)
_FIND: Final = _ACCOUNT.where(_users.public_id == bindparam("public"))
_FIND_FOR_UPDATE: Final = for_update(_FIND, users)


def _if_given(name: str, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    value = sa.cast(bindparam(name, type_=column.type), column.type)  # PostgreSQL must know the type of a NULL
    return sa.or_(value.is_(None), column == value)


_PAGE: Final = (
    _ACCOUNT.where(
        _if_given("role", _users.role),
        _if_given("active", _users.is_active),
        _if_given("provider", _users.auth_provider),
    )
    .order_by(_users.created_at, _users.public_id)
    .limit(bindparam("most"))
)
# By value, not by the row: an erasure removes the row's public id.
_after_at = bindparam("after_at", type_=_users.created_at.type)
_NEXT_PAGE: Final = _PAGE.where(
    _users.created_at >= _after_at,
    sa.or_(_users.created_at > _after_at, _users.public_id > bindparam("after_id", type_=_users.public_id.type)),
)
_ADD_INVITATION = InsertIfAbsent(
    users,
    key=("tenant_id", "email_key"),
    index_where=users.c.email_key.is_not(None),
    columns=(
        "tenant_id",
        "public_id",
        "email",
        "email_key",
        "display_name",
        "role",
        "pending_role",
        "auth_provider",
        "is_active",
        "invited_by",
        "invitation_ends_at",
        "invited_object_id",
        "version",
        "created_at",
        "updated_at",
    ),
    returning=("id",),
)
_MEMBER_ADDRESSES: Final = sa.select(_users.email).where(
    _OF_TENANT, _users.is_active, _users.entra_object_id.is_not(None)
)
_HAS_OBJECT_ID: Final = (
    sa.select(_users.id)
    .where(
        _OF_TENANT,
        sa.or_(
            _users.entra_object_id == bindparam("oid", type_=sa.Uuid),
            _users.invited_object_id == bindparam("oid", type_=sa.Uuid),
        ),
    )
    .limit(1)
)
_people = (
    sa.select(
        _users.public_id,
        sa.func.count()
        .over(partition_by=(sa.func.lower(_users.display_name), sa.func.lower(_users.email)))
        .label("number"),
    )
    .where(_OF_TENANT, _users.erased_at.is_(None), _users.merged_into.is_(None))
    .subquery("people")
)
_ALIKE: Final = sa.select(_people.c.public_id).where(_people.c.number > 1)


def page(
    tx: sa.Connection, tenant_id: int, filters: AccountFilters, *, after: TimeCursor | None, limit: int
) -> list[Account]:
    """At most `limit` accounts, oldest first, after a position; the account at that position may be gone."""
    parameters = {
        "tenant": tenant_id,
        "role": None if filters.role is None else filters.role.value,
        "active": filters.is_active,
        "provider": None if filters.auth_provider is None else filters.auth_provider.value,
        "most": limit,
    }
    if after is None:
        return [_account(row) for row in tx.execute(_PAGE, parameters)]
    position = {"after_at": after.at, "after_id": after.id}
    return [_account(row) for row in tx.execute(_NEXT_PAGE, {**parameters, **position})]


def find(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID, *, lock: bool = False) -> Account | None:
    row = tx.execute(_FIND_FOR_UPDATE if lock else _FIND, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else _account(row)


def add_invitation(tx: sa.Connection, tenant_id: int, invitation: InvitationRow) -> int | None:
    """The new account's row id; None when an open invitation has the address."""
    pending = invitation.pending_role
    row = _ADD_INVITATION.run(
        tx,
        {
            "tenant_id": tenant_id,
            "public_id": invitation.public_id,
            "email": invitation.email,
            "email_key": invitation.email_key,
            "display_name": invitation.display_name,
            "role": Role.USER.value,
            "pending_role": None if pending is None else pending.value,
            "auth_provider": AuthProvider.MANUAL.value,
            "is_active": True,
            "invited_by": invitation.invited_by,
            "invitation_ends_at": invitation.invitation_ends_at,
            "invited_object_id": invitation.invited_object_id,
            "version": 1,
            "created_at": invitation.created_at,
            "updated_at": invitation.created_at,
        },
    )
    return None if row is None else int(row.id)


def member_addresses(tx: sa.Connection, tenant_id: int) -> list[str]:
    """The shown addresses of people who have signed in and whose accounts are active."""
    return list(tx.execute(_MEMBER_ADDRESSES, {"tenant": tenant_id}).scalars())


def has_object_id(tx: sa.Connection, tenant_id: int, object_id: uuid.UUID) -> bool:
    """Whether a person of the directory has an account or an open invitation."""
    return tx.execute(_HAS_OBJECT_ID, {"tenant": tenant_id, "oid": object_id}).first() is not None


def find_alike(tx: sa.Connection, tenant_id: int) -> frozenset[uuid.UUID]:
    """The ids of people who share both their name and their address with somebody."""
    return frozenset(tx.execute(_ALIKE, {"tenant": tenant_id}).scalars())


def _account(row: sa.Row[Any]) -> Account:
    return Account(
        to_user(row), row.entra_object_id, row.invitation_ends_at, row.invited_by, row.created_at, row.version
    )
