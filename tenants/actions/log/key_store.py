"""The random keys of a tenant and its people in Table Storage.

Row ids are no stable keys: after the restore of a backup they are used again, for others.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import tenants, users


_t, _u = tenants.c, users.c
_TENANT: Final = sa.select(_t.log_key, _t.has_numbered_log).where(_t.id == bindparam("tenant"))
_EVERYONE: Final[sa.Select[Any]] = sa.select(_u.id, _u.log_key, _u.created_at).where(
    _u.tenant_id == bindparam("tenant")
)
_BY_NUMBER: Final = _EVERYONE.where(_u.id.in_(bindparam("numbers", expanding=True)))
_BY_KEY: Final = _EVERYONE.where(_u.log_key.in_(bindparam("keys", expanding=True)))
_NUMBERED: Final = (
    sa.select(_t.id, _t.slug).where(_t.has_numbered_log == sa.true(), _t.id > bindparam("after")).order_by(_t.id)
)
_MARK_MOVED: Final = tenants.update().where(_t.id == bindparam("tenant")).values(has_numbered_log=False)
_LATEST_REPORT: Final = dt.timedelta(days=1)  # between an action and its request


@dataclass(frozen=True, slots=True)
class UserKey:
    number: int  # the row id
    key: uuid.UUID
    created_at: dt.datetime


@dataclass(frozen=True)
class LogKeys:
    """The keys of a tenant and of some or all of its people; `is_numbered`: rows may still be under the row id."""

    tenant_id: int
    tenant: uuid.UUID
    is_numbered: bool
    people: tuple[UserKey, ...]

    def key_of(self, number: int) -> uuid.UUID:
        """A key that nobody has, for a row id that is not among the people."""
        user = self._by_number.get(number)
        return uuid.UUID(int=number) if user is None else user.key

    def key_then(self, number: int, happened_at: dt.datetime) -> uuid.UUID:
        """As `key_of`; a key that nobody has where the row id was another person's then, before a restore."""
        user = self._by_number.get(number)
        is_another = user is None or happened_at < user.created_at - _LATEST_REPORT
        return uuid.UUID(int=number) if is_another else self.key_of(number)

    def number_of(self, key: uuid.UUID) -> int | None:
        user = self._by_key.get(key)
        return None if user is None else user.number

    @cached_property
    def _by_number(self) -> dict[int, UserKey]:
        return {each.number: each for each in self.people}

    @cached_property
    def _by_key(self) -> dict[uuid.UUID, UserKey]:
        return {each.key: each for each in self.people}


def load_keys(tx: sa.Connection, tenant_id: int, numbers: Collection[int] = (), *, everyone: bool = False) -> LogKeys:
    """The keys of a tenant and of people by row id, or of everyone.

    Raises:
        LookupError: the tenant does not exist.
    """
    row = tx.execute(_TENANT, {"tenant": tenant_id}).first()
    if row is None:
        raise LookupError("the tenant does not exist")
    people: tuple[UserKey, ...] = ()
    if everyone:
        people = tuple(UserKey(*each) for each in tx.execute(_EVERYONE, {"tenant": tenant_id}))
    elif numbers:
        people = tuple(UserKey(*each) for each in tx.execute(_BY_NUMBER, {"tenant": tenant_id, "numbers": [*numbers]}))
    return LogKeys(tenant_id, row.log_key, row.has_numbered_log, people)


def numbers_by_key(tx: sa.Connection, tenant_id: int, keys: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The row ids of a tenant's people by key, without unknown keys."""
    return {row.log_key: row.id for row in tx.execute(_BY_KEY, {"tenant": tenant_id, "keys": [*keys]})}


def tenants_with_numbered_log(tx: sa.Connection, after: int = 0) -> list[tuple[int, str]]:
    """Row ids and slugs of tenants whose rows may still be under the row id, after a row id."""
    return [(row.id, row.slug) for row in tx.execute(_NUMBERED, {"after": after})]


def mark_moved(tx: sa.Connection, tenant_id: int) -> None:
    """From now on rows of the tenant are not looked up under its row id."""
    tx.execute(_MARK_MOVED, {"tenant": tenant_id})
