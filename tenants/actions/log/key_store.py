"""The random keys that stand for a tenant and its people in Table Storage.

Row numbers would not do: after a backup is restored they are given out again, to others.
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
_MOVED: Final = tenants.update().where(_t.id == bindparam("tenant")).values(has_numbered_log=False)
_BACK: Final = dt.timedelta(days=1)  # an action may be told so long after it happened


@dataclass(frozen=True, slots=True)
class Person:
    number: int
    key: uuid.UUID
    created_at: dt.datetime


@dataclass(frozen=True)
class Keys:
    """A tenant's key, some or all of its people, and whether rows of its log may still be under its row number."""

    tenant_id: int
    tenant: uuid.UUID
    is_numbered: bool
    people: tuple[Person, ...]

    def key_of(self, number: int) -> uuid.UUID:
        """Nobody's key for who is not among the people."""
        found = self._by_number.get(number)
        return uuid.UUID(int=number) if found is None else found.key

    def key_then(self, number: int, happened_at: dt.datetime) -> uuid.UUID:
        """Nobody's key for a number that was given to somebody else when it happened, before a backup was restored."""
        found = self._by_number.get(number)
        is_another = found is None or happened_at < found.created_at - _BACK
        return uuid.UUID(int=number) if is_another else self.key_of(number)

    def number_of(self, key: uuid.UUID) -> int | None:
        found = self._by_key.get(key)
        return None if found is None else found.number

    @cached_property
    def _by_number(self) -> dict[int, Person]:
        return {each.number: each for each in self.people}

    @cached_property
    def _by_key(self) -> dict[uuid.UUID, Person]:
        return {each.key: each for each in self.people}


def of_tenant(tx: sa.Connection, tenant_id: int, numbers: Collection[int] = (), *, everyone: bool = False) -> Keys:
    """The keys of a tenant, and of people by their row numbers, or of everyone.

    Raises:
        LookupError: there is no such tenant.
    """
    row = tx.execute(_TENANT, {"tenant": tenant_id}).first()
    if row is None:
        raise LookupError("there is no such tenant")
    people: tuple[Person, ...] = ()
    if everyone:
        people = tuple(Person(*each) for each in tx.execute(_EVERYONE, {"tenant": tenant_id}))
    elif numbers:
        people = tuple(Person(*each) for each in tx.execute(_BY_NUMBER, {"tenant": tenant_id, "numbers": [*numbers]}))
    return Keys(tenant_id, row.log_key, row.has_numbered_log, people)


def people(tx: sa.Connection, tenant_id: int, keys: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The row numbers of a tenant's people by their keys; who is not known is left out."""
    return {row.log_key: row.id for row in tx.execute(_BY_KEY, {"tenant": tenant_id, "keys": [*keys]})}


def numbered(tx: sa.Connection, after: int = 0) -> list[tuple[int, str]]:
    """The tenants, by row number and slug, whose rows may still be under their number, after one."""
    return [(row.id, row.slug) for row in tx.execute(_NUMBERED, {"after": after})]


def moved(tx: sa.Connection, tenant_id: int) -> None:
    """From now on nothing of the tenant is looked for under its number."""
    tx.execute(_MOVED, {"tenant": tenant_id})
