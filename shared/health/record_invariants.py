"""Invariants of the JSON documents in both logs: each is readable and agrees with the columns of its row.

Rows that an erasure of an earlier version damaged are listed in `damaged_documents`, and are skipped.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from shared.db.schema import audit_log, damaged_documents, timer_log


class json_state(GenericFunction[int]):  # noqa: N801 - a function of SQL
    """0 for JSON null, 1 for text that is not JSON, 2 for a document. In PostgreSQL the column is always JSON."""

    type = sa.Integer()
    inherit_cache = True


@compiles(json_state, "postgresql")
def _of_postgresql(function: Any, compiler: Any, **more: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    document = compiler.process(function.clauses, **more)
    return f"CASE WHEN CAST({document} AS TEXT) = 'null' THEN 0 ELSE 2 END"


@compiles(json_state, "sqlite")
def _of_sqlite(function: Any, compiler: Any, **more: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    document = compiler.process(function.clauses, **more)
    return f"CASE WHEN {document} = 'null' THEN 0 WHEN json_valid({document}) THEN 2 ELSE 1 END"


@compiles(json_state, "mssql")
def _of_sql_server(function: Any, compiler: Any, **more: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    document = compiler.process(function.clauses, **more)
    return f"CASE WHEN {document} = N'null' THEN 0 WHEN ISJSON({document}) = 1 THEN 2 ELSE 1 END"


_INSTANTS: Final = (
    "____-__-__T__:__:__.___Z",
    "____-__-__T__:__:__.___+00:00",
)  # the second in rows of earlier versions
_SOURCES: Final = ("timer", "manual", "autoStopped")
_ROLES: Final = ("user", "admin", "super_admin")
# Fields of the audit log with values of ours: a pseudonym in one is damage
_CODES: Final = ("plan", "status", "scope", "channel", "kind", "right", "timeZone", "code", "currency", "format")
_log, _audit = timer_log.c, audit_log.c


def _text(document: sa.Column[Any], name: str) -> sa.ColumnElement[str]:
    return sa.cast(document[name].as_string(), sa.Unicode(400))


def _is_listed(table: sa.Table) -> sa.Exists:
    return sa.exists().where(
        damaged_documents.c.tenant_id == table.c.tenant_id,
        damaged_documents.c.table_name == table.name,
        damaged_documents.c.row_id == table.c.id,
    )


def _differs(document: sa.Column[Any], name: str, value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    text = _text(document, name)
    return sa.or_(text.is_(None), text != sa.cast(sa.cast(value, sa.BigInteger), sa.Unicode(400)))


def _is_invalid_version(document: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether the document is not a complete version of an entry."""
    wrong: list[sa.ColumnElement[bool]] = [
        _text(document, name).is_(None) for name in ("organization", "project", "needsReview", "version")
    ]
    wrong += [_is_no_instant(document, name) for name in ("startedAt", "stoppedAt")]
    source, zone = _text(document, "source"), _text(document, "timeZone")
    wrong += [source.is_(None), source.not_in(_SOURCES), zone.is_(None), zone.like("%erased-%")]
    return sa.or_(*wrong)


def _is_no_instant(document: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    instant = _text(document, name)
    return sa.or_(instant.is_(None), sa.and_(*(instant.not_like(pattern) for pattern in _INSTANTS)))


def _is_wrong(document: sa.Column[Any], *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether the document is not JSON, or meets a condition. In this order, since a condition fails on other text."""
    state = json_state(document)
    result = sa.case((document.is_(None), 0), (state == 0, 0), (state == 1, 1), (sa.or_(*conditions), 1), else_=0)
    return result == 1


_after_is_wrong: Final = _is_wrong(
    _log.after_change,
    _is_invalid_version(_log.after_change),
    _differs(_log.after_change, "version", _log.entry_version),
    _differs(_log.after_change, "workItemId", _log.work_item_id),
    _differs(_log.after_change, "elapsedMs", _log.elapsed_ms),
)
_before_is_wrong: Final = _is_wrong(
    _log.before_change,
    _is_invalid_version(_log.before_change),
    _differs(_log.before_change, "version", _log.entry_version - 1),
)


def _is_wrong_timer(document: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether the document is not a running timer on the row's work item."""
    missing = (_text(document, name).is_(None) for name in ("organization", "project"))
    return _is_wrong(
        document,
        *missing,
        _is_no_instant(document, "startedAt"),
        _differs(document, "workItemId", _log.work_item_id),
    )


_is_of_timer: Final = _log.event == "changed"


def _is_damaged(document: sa.Column[Any]) -> sa.ColumnElement[bool]:
    role = _text(document, "role")
    codes = [_text(document, name).like("%erased-%") for name in _CODES]
    return _is_wrong(document, role.not_in(_ROLES), *codes)


RECORDS: Final[dict[str, sa.Select[Any]]] = {
    "a_logged_version_agrees_with_its_row": sa.select(_log.id).where(
        sa.or_(
            sa.and_(~_is_of_timer, sa.or_(_after_is_wrong, _before_is_wrong)),
            sa.and_(_is_of_timer, sa.or_(_is_wrong_timer(_log.after_change), _is_wrong_timer(_log.before_change))),
        ),
        ~_is_listed(timer_log),
    ),
    "an_audited_change_can_be_read": sa.select(_audit.id).where(
        sa.or_(_is_damaged(_audit.before_change), _is_damaged(_audit.after_change)), ~_is_listed(audit_log)
    ),
}
