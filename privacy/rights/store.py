"""The rows of what a person has said about their data: what is stopped, and whom they named."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.rules import Right
from shared.db.schema import nominees, users
from shared.db.statements import InsertIfAbsent


@dataclass(frozen=True, slots=True)
class Rights:
    """Since when each is in force; None is not. `nominee_named_at`: the name is for operators and their own export."""

    restricted_at: dt.datetime | None
    objected_at: dt.datetime | None
    consent_withdrawn_at: dt.datetime | None
    nominee_named_at: dt.datetime | None

    def since(self, right: Right) -> dt.datetime | None:
        found: dt.datetime | None = getattr(self, _COLUMN[right].name)
        return found


@dataclass(frozen=True, slots=True)
class Nominee:
    name: str
    contact: str
    named_at: dt.datetime


_users, _nominees = users.c, nominees.c
_COLUMN: Final = {
    Right.RESTRICTION: _users.restricted_at,
    Right.OBJECTION: _users.objected_at,
    Right.CONSENT: _users.consent_withdrawn_at,
}
_THIS: Final = (_users.tenant_id == bindparam("tenant"), _users.id == bindparam("user"))
_THEIRS: Final = (_nominees.tenant_id == bindparam("tenant"), _nominees.user_id == bindparam("user"))
_RIGHTS: Final[sa.Select[Any]] = (
    sa.select(_users.restricted_at, _users.objected_at, _users.consent_withdrawn_at, _nominees.named_at)
    .outerjoin(nominees, sa.and_(_nominees.tenant_id == _users.tenant_id, _nominees.user_id == _users.id))
    .where(*_THIS)
)
# What is stopped is stopped for the invitations that were merged into the account as well.
_ALL_THEIRS: Final = (
    _users.tenant_id == bindparam("tenant"),
    sa.or_(_users.id == bindparam("user"), _users.merged_into == bindparam("user")),
)
_SET: Final = {
    right: users.update()
    .where(*_ALL_THEIRS)
    .values({column.name: bindparam("since", type_=column.type), "version": _users.version + 1})
    for right, column in _COLUMN.items()
}
_NOMINEE: Final = sa.select(_nominees.name, _nominees.contact, _nominees.named_at).where(*_THEIRS)
_NAME: Final = InsertIfAbsent(
    nominees, key=("tenant_id", "user_id"), columns=("tenant_id", "user_id", "name", "contact", "named_at")
)
_REMOVE: Final = nominees.delete().where(*_THEIRS)


def read(tx: sa.Connection, tenant_id: int, user_id: int) -> Rights:
    return Rights(*tx.execute(_RIGHTS, {"tenant": tenant_id, "user": user_id}).one())


def put(tx: sa.Connection, tenant_id: int, user_id: int, right: Right, since: dt.datetime | None) -> None:
    """Says since when a right is in force; None lifts it."""
    tx.execute(_SET[right], {"tenant": tenant_id, "user": user_id, "since": since})


def nominee(tx: sa.Connection, tenant_id: int, user_id: int) -> Nominee | None:
    row = tx.execute(_NOMINEE, {"tenant": tenant_id, "user": user_id}).first()
    return None if row is None else Nominee(*row)


def name(tx: sa.Connection, tenant_id: int, user_id: int, nominee: Nominee) -> None:
    """Puts a nominee in the place of the one there was; the person's row must be held."""
    remove(tx, tenant_id, user_id)
    values = {"name": nominee.name, "contact": nominee.contact, "named_at": nominee.named_at}
    _NAME.run(tx, {"tenant_id": tenant_id, "user_id": user_id, **values})


def remove(tx: sa.Connection, tenant_id: int, user_id: int) -> bool:
    """False when there was none."""
    return tx.execute(_REMOVE, {"tenant": tenant_id, "user": user_id}).rowcount == 1
