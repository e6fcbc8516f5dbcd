"""The rows behind the people of a tenant: list, add by hand, rename, role, activation."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users
from shared.db.statements import InsertIfAbsent, locked
from shared.tenancy.model import User
from shared.tenancy.store import USER_COLUMNS, user_of


@dataclass(frozen=True, slots=True)
class AccountsEnd:
    """Where a page ended: the last account's id and creation."""

    id: uuid.UUID
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A user with what an admin sees beside it. Without an `object_id` nobody has signed in with the account."""

    user: User
    object_id: uuid.UUID | None
    invitation_ends_at: dt.datetime | None
    invited_by: uuid.UUID | None
    created_at: dt.datetime
    version: int


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
    # whoever is erased is nobody's to manage any more, and an invitation that was merged is its person's
    .where(_OF_TENANT, _users.erased_at.is_(None), _users.merged_into.is_(None))
)
_ONE: Final = _ACCOUNT.where(_users.public_id == bindparam("public"))
_ONE_FOR_UPDATE: Final = locked(_ONE, users)


def _if_given(name: str, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    wanted = sa.cast(bindparam(name, type_=column.type), column.type)  # PostgreSQL must know the type of a NULL
    return sa.or_(wanted.is_(None), column == wanted)


_PAGE: Final = (
    _ACCOUNT.where(
        _if_given("role", _users.role),
        _if_given("active", _users.is_active),
        _if_given("provider", _users.auth_provider),
    )
    .order_by(_users.created_at, _users.public_id)
    .limit(bindparam("most"))
)
# The place itself and not its row: an erasure takes the row's public id.
_end_at = bindparam("end_at", type_=_users.created_at.type)
_NEXT_PAGE: Final = _PAGE.where(
    _users.created_at >= _end_at,
    sa.or_(_users.created_at > _end_at, _users.public_id > bindparam("end_public", type_=_users.public_id.type)),
)
_ADD_BY_HAND = InsertIfAbsent(
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


_SIGNED_IN: Final = sa.select(_users.email).where(_OF_TENANT, _users.is_active, _users.entra_object_id.is_not(None))
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
    tx: sa.Connection, tenant_id: int, *, filters: dict[str, Any], end: AccountsEnd | None, most: int
) -> list[Account]:
    """At most `most` people, oldest account first, after the place that `end` names; its person may be gone."""
    parameters = {"tenant": tenant_id, "most": most, **filters}
    if end is None:
        return [_account(row) for row in tx.execute(_PAGE, parameters)]
    return [
        _account(row) for row in tx.execute(_NEXT_PAGE, {**parameters, "end_at": end.created_at, "end_public": end.id})
    ]


def find(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID, *, hold: bool = False) -> Account | None:
    row = tx.execute(_ONE_FOR_UPDATE if hold else _ONE, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else _account(row)


def add_by_hand(tx: sa.Connection, tenant_id: int, values: dict[str, Any]) -> int | None:
    """The new account's row number, or None when another open invitation has the address."""
    row = _ADD_BY_HAND.run(tx, {"tenant_id": tenant_id, **values})
    return None if row is None else int(row.id)


def signed_in(tx: sa.Connection, tenant_id: int) -> list[str]:
    """The addresses by which those are shown who have signed in and whose accounts are open."""
    return list(tx.execute(_SIGNED_IN, {"tenant": tenant_id}).scalars())


def has_object_id(tx: sa.Connection, tenant_id: int, object_id: uuid.UUID) -> bool:
    """Whether the person of the directory has an account, or an open invitation is for them."""
    return tx.execute(_HAS_OBJECT_ID, {"tenant": tenant_id, "oid": object_id}).first() is not None


def alike(tx: sa.Connection, tenant_id: int) -> frozenset[uuid.UUID]:
    """The ids of people whom neither their name nor their address tells apart."""
    return frozenset(tx.execute(_ALIKE, {"tenant": tenant_id}).scalars())


def _account(row: sa.Row[Any]) -> Account:
    return Account(
        user_of(row), row.entra_object_id, row.invitation_ends_at, row.invited_by, row.created_at, row.version
    )
