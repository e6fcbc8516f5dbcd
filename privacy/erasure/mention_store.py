"""The mentions that stay at an erasure: a super admin has decided that they mean another person."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.erasure.text_store import MentionRow
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
_STOP_KEEPING: Final = kept_mentions.delete().where(
    *_OF_PERSON, _kept.table_name == bindparam("table"), _kept.row_id == bindparam("row")
)


def list_kept(tx: sa.Connection, tenant_id: int, user_id: int) -> set[tuple[str, int]]:
    """The tables and rows of the kept mentions of a person."""
    rows = tx.execute(_KEPT, {"tenant": tenant_id, "user": user_id})
    return {(row.table_name, row.row_id) for row in rows}


def keep(
    tx: sa.Connection, tenant_id: int, user_id: int, rows: Iterable[MentionRow], *, by: int, now: dt.datetime
) -> None:
    """Keeps mentions of a person. Idempotent."""
    for row in rows:
        values = {"tenant_id": tenant_id, "subject_user_id": user_id, "kept_by": by, "kept_at": now}
        _KEEP.run(tx, {**values, "table_name": row.table, "row_id": row.row})


def stop_keeping(tx: sa.Connection, tenant_id: int, user_id: int, rows: Iterable[MentionRow]) -> None:
    """Stops keeping mentions of a person."""
    for row in rows:
        tx.execute(_STOP_KEEPING, {"tenant": tenant_id, "user": user_id, "table": row.table, "row": row.row})
