"""The rows of a person's privacy preferences and nominee."""

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
    """The start of each right in force, else None. Of the nominee it has only the date."""

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
_OF_USER: Final = (_users.tenant_id == bindparam("tenant"), _users.id == bindparam("user"))
_NOMINEE_OF_USER: Final = (_nominees.tenant_id == bindparam("tenant"), _nominees.user_id == bindparam("user"))
_RIGHTS: Final[sa.Select[Any]] = (
    sa.select(_users.restricted_at, _users.objected_at, _users.consent_withdrawn_at, _nominees.named_at)
    .outerjoin(nominees, sa.and_(_nominees.tenant_id == _users.tenant_id, _nominees.user_id == _users.id))
    .where(*_OF_USER)
)
# A right also applies to the invitations that were merged into the account.
_ACCOUNTS_OF_USER: Final = (
    _users.tenant_id == bindparam("tenant"),
    sa.or_(_users.id == bindparam("user"), _users.merged_into == bindparam("user")),
)
_SET: Final = {
    right: users.update()
    .where(*_ACCOUNTS_OF_USER)
    .values({column.name: bindparam("since", type_=column.type), "version": _users.version + 1})
    for right, column in _COLUMN.items()
}
_NOMINEE: Final = sa.select(_nominees.name, _nominees.contact, _nominees.named_at).where(*_NOMINEE_OF_USER)
_ADD_NOMINEE: Final = InsertIfAbsent(
    nominees, key=("tenant_id", "user_id"), columns=("tenant_id", "user_id", "name", "contact", "named_at")
)
_REMOVE_NOMINEE: Final = nominees.delete().where(*_NOMINEE_OF_USER)


def read(tx: sa.Connection, tenant_id: int, user_id: int) -> Rights:
    return Rights(*tx.execute(_RIGHTS, {"tenant": tenant_id, "user": user_id}).one())


def set_right(tx: sa.Connection, tenant_id: int, user_id: int, right: Right, since: dt.datetime | None) -> None:
    """Stores the start of a right; None lifts it."""
    tx.execute(_SET[right], {"tenant": tenant_id, "user": user_id, "since": since})


def find_nominee(tx: sa.Connection, tenant_id: int, user_id: int) -> Nominee | None:
    row = tx.execute(_NOMINEE, {"tenant": tenant_id, "user": user_id}).first()
    return None if row is None else Nominee(*row)


def set_nominee(tx: sa.Connection, tenant_id: int, user_id: int, nominee: Nominee) -> None:
    """Replaces the nominee. The person's row must be locked."""
    remove_nominee(tx, tenant_id, user_id)
    values = {"name": nominee.name, "contact": nominee.contact, "named_at": nominee.named_at}
    _ADD_NOMINEE.run(tx, {"tenant_id": tenant_id, "user_id": user_id, **values})


def remove_nominee(tx: sa.Connection, tenant_id: int, user_id: int) -> bool:
    """Removes the nominee; False if there was none."""
    return tx.execute(_REMOVE_NOMINEE, {"tenant": tenant_id, "user": user_id}).rowcount == 1
