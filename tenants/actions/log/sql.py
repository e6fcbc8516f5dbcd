"""The action log in the database, for deployments without Table Storage."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import action_log
from shared.db.statements import InsertIfAbsent
from tenants.actions.log.model import Action, AppendFailed, LogQuery


_log = action_log.c
_COLUMNS: Final = ("tenant_id", "user_id", "row_key", "action_type", "page", "happened_at")
_INSERT = InsertIfAbsent(action_log, key=("tenant_id", "row_key"), columns=_COLUMNS)
_PAGE: Final[sa.Select[Any]] = (
    sa.select(*(_log[name] for name in _COLUMNS))
    .where(_log.tenant_id == bindparam("tenant"))
    .order_by(_log.row_key)
    .limit(bindparam("most"))
)
_CONDITIONS: Final[dict[str, sa.ColumnElement[bool]]] = {
    "user": _log.user_id == bindparam("user"),
    "type": _log.action_type == bindparam("type", type_=sa.String),
    "after": _log.row_key > bindparam("after"),
    "since": _log.row_key < bindparam("since"),
    "until": _log.row_key > bindparam("until"),
}
# Only erasures change rows.
_BATCH: Final = 500
_PAGES_OF_ACTIONS: Final = (
    sa.select(_log.row_key, _log.user_id, _log.page)
    .where(_log.tenant_id == bindparam("tenant"), _log.row_key > bindparam("after"))
    .order_by(_log.row_key)
    .limit(_BATCH)
)
_REWRITE: Final = (
    action_log.update()
    .where(_log.tenant_id == bindparam("tenant"), _log.row_key == bindparam("key"))
    .values(page=bindparam("new_page"))
)
_DELETE: Final = action_log.delete().where(
    _log.tenant_id == bindparam("tenant"),
    _log.id.in_(sa.select(_log.id).where(_log.tenant_id == bindparam("tenant")).limit(_BATCH).scalar_subquery()),
)


@cache
def statement(conditions: tuple[str, ...]) -> sa.Select[Any]:
    """The SELECT with some of the conditions; built when it is first needed."""
    return _PAGE.where(*(_CONDITIONS[name] for name in conditions))


class SqlActionLog:
    """Writes and reads in its own transactions, as the other implementation does."""

    def __init__(self, transaction: Callable[..., AbstractContextManager[sa.Connection]]) -> None:
        self._transaction = transaction

    def append(self, actions: Sequence[Action]) -> None:
        try:
            with self._transaction(tenant=actions[0].tenant_id) as tx:
                for action in actions:
                    _INSERT.run(tx, asdict(action))
        except sa.exc.SQLAlchemyError as error:
            raise AppendFailed(len(actions), "database") from error

    def page(self, tenant_id: int, query: LogQuery) -> list[Action]:
        conditions = {
            "user": query.user_id,
            "type": query.action_type,
            "after": query.after,
            "since": query.since,
            "until": query.until,
        }
        used = {name: value for name, value in conditions.items() if value is not None}
        with self._transaction(reads_only=True, tenant=tenant_id) as tx:
            rows = tx.execute(statement(tuple(used)), {"tenant": tenant_id, "most": query.limit, **used})
            return [Action(*row) for row in rows]

    def rewrite(self, tenant_id: int, page: Callable[[int, str], str]) -> int:
        after, changed = "", 0
        while True:
            with self._transaction(tenant=tenant_id) as tx:
                rows = tx.execute(_PAGES_OF_ACTIONS, {"tenant": tenant_id, "after": after}).all()
                for row in rows:
                    new = page(row.user_id, row.page)
                    if new != row.page:
                        tx.execute(_REWRITE, {"tenant": tenant_id, "key": row.row_key, "new_page": new})
                        changed += 1
            if not rows:
                return changed
            after = rows[-1].row_key

    def delete(self, tenant_id: int) -> int:
        removed = 0
        while True:
            with self._transaction(tenant=tenant_id) as tx:
                some = tx.execute(_DELETE, {"tenant": tenant_id}).rowcount
            removed += some
            if not some:
                return removed
