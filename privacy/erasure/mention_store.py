"""Which mentions of a person stay at their erasure, since a super admin says that they are about somebody else."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.erasure.text_store import Place
from shared.db.schema import kept_mentions
from shared.db.statements import InsertIfAbsent


_kept = kept_mentions.c
_OF_PERSON: Final = (_kept.tenant_id == bindparam("tenant"), _kept.subject_user_id == bindparam("user"))
_KEPT: Final = sa.select(_kept.table_name, _kept.row_id).where(*_OF_PERSON)
_KEEP: Final = InsertIfAbsent(
    kept_mentions,
    key=("tenant_id", "subject_user_id", "table_name", "row_id"),
    columns=("tenant_id", "subject_user_id", "table_name", "row_id", "kept_by", "kept_at"),
)
_REPLACE: Final = kept_mentions.delete().where(
    *_OF_PERSON, _kept.table_name == bindparam("table"), _kept.row_id == bindparam("row")
)


def kept(tx: sa.Connection, tenant_id: int, user_id: int) -> set[tuple[str, int]]:
    """The tables and rows whose mentions of a person stay."""
    rows = tx.execute(_KEPT, {"tenant": tenant_id, "user": user_id})
    return {(row.table_name, row.row_id) for row in rows}


def keep(
    tx: sa.Connection, tenant_id: int, user_id: int, places: Iterable[Place], *, by: int, now: dt.datetime
) -> None:
    """Has mentions of a person stay; one that stays already is left alone."""
    for place in places:
        values = {"tenant_id": tenant_id, "subject_user_id": user_id, "kept_by": by, "kept_at": now}
        _KEEP.run(tx, {**values, "table_name": place.table, "row_id": place.row})


def replace(tx: sa.Connection, tenant_id: int, user_id: int, places: Iterable[Place]) -> None:
    """Has mentions of a person replaced after all."""
    for place in places:
        tx.execute(_REPLACE, {"tenant": tenant_id, "user": user_id, "table": place.table, "row": place.row})
