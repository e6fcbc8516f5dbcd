"""Removes a person's own text from all tables, and redacts mentions in others' text.

The statements follow from the catalog, so they cover new columns. Only the note of an entry version (JSON) is text;
the rest of it is never read or changed.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.catalog.columns import CATALOG
from privacy.catalog.kinds import DataKind
from privacy.erasure.mention_rules import Redaction
from shared.db.documents import UNREADABLE
from shared.db.schema import metadata, time_entries, work_items


BATCH: Final = 500
_NOTE: Final = "note"
_NOTE_LENGTH: Final = 400
assert time_entries.c.note.type.length == _NOTE_LENGTH  # type: ignore[attr-defined]  # noqa: S101 - of our own schema
_ACTION_LOG: Final = "action_log"  # redacted by its own client, since it can be outside the database
_NEVER_FETCHED: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # older than any reading, so it is read again
_USER: Final = bindparam("user", type_=sa.BigInteger)


@dataclass(frozen=True, slots=True)
class MentionRow:
    """A row of another person, or of nobody, with a mention in its text."""

    table: str
    row: int
    at: dt.datetime
    user_id: int | None


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column with free text, and its statements."""

    table: sa.Table
    column: sa.Column[Any]
    limit: int  # of the text, in UTF-16 units
    remove: sa.Update | None  # the person's own text
    own: sa.Select[Any] | None  # the person's own entry versions with a note, or unreadable
    write: sa.Update

    @property
    def is_version(self) -> bool:
        return isinstance(self.column.type, sa.JSON)

    def text_of(self, value: Any) -> str | None:  # noqa: ANN401 - any column
        """The free text in a value of the column; None if there is none, or it is unreadable."""
        text = value.get(_NOTE) if isinstance(value, dict) else None if self.is_version else value
        return text if isinstance(text, str) else None

    def value_with(self, value: Any, text: str | None) -> Any:  # noqa: ANN401 - any column
        return {**value, _NOTE: text} if self.is_version else text


def _belongs_to_user(table: sa.Table, names: tuple[str, ...]) -> sa.ColumnElement[bool]:
    return sa.or_(*(table.c[name] == _USER for name in names))


def _build_column(table: sa.Table, column: sa.Column[Any]) -> TextColumn:
    entry, kind = CATALOG[table.name], CATALOG[table.name].columns[column.name]
    in_tenant = table.c.tenant_id == bindparam("tenant")
    write = table.update().where(in_tenant, table.c.id == bindparam("row"))
    new = {column.name: bindparam("new_value", type_=column.type)}
    if kind is DataKind.VERSION:
        text = sa.cast(column, sa.UnicodeText)
        # As we write JSON, a note is a string or null. Any other document has no note or is unreadable.
        has_note = sa.or_(text.like(f'%"{_NOTE}": "%'), text.not_like(f'%"{_NOTE}": null%'))
        own = (
            sa.select(table.c.id, column.label("value"))
            .where(
                in_tenant,
                column.is_not(None),
                _belongs_to_user(table, entry.of),
                table.c.id > bindparam("after"),
                has_note,
            )
            .order_by(table.c.id)
            .limit(BATCH)
        )
        return TextColumn(table, column, _NOTE_LENGTH, None, own, write.values(new))
    cleared = None if column.nullable else ""
    remove = None
    if kind is DataKind.WORDS:
        written = (column.is_not(None), column != sa.literal(""))
        remove = table.update().where(in_tenant, _belongs_to_user(table, (*entry.of, *entry.by)), *written)
        remove = remove.values({column.name: cleared})
    # The author may change it in the meantime; a newer text is not overwritten.
    unchanged = column == bindparam("old_value", type_=column.type)
    limit: int = column.type.length  # type: ignore[attr-defined]  # text columns have a length
    return TextColumn(table, column, limit, remove, None, write.where(unchanged).values(new))


TEXT_COLUMNS: Final = {
    f"{name}.{column}": _build_column(metadata.tables[name], metadata.tables[name].c[column])
    for name, entry in CATALOG.items()
    for column, kind in entry.columns.items()
    if kind.is_text and name != _ACTION_LOG
}


@cache
def mention_query(name: str, patterns: int) -> sa.Select[Any]:
    """A page of others' rows that match one of so many LIKE patterns."""
    text_column = TEXT_COLUMNS[name]
    table, entry = text_column.table, CATALOG[text_column.table.name]
    text = sa.func.lower(sa.cast(text_column.column, sa.UnicodeText) if text_column.is_version else text_column.column)
    matches = [text.like(bindparam(f"pattern_{number}", type_=sa.UnicodeText)) for number in range(patterns)]
    own = entry.of if text_column.is_version else (*entry.of, *entry.by)
    others = [sa.or_(table.c[column].is_(None), table.c[column] != _USER) for column in own]
    assert entry.at is not None  # noqa: S101 - tests/contract/test_privacy.py
    owner = table.c[entry.of[0]] if entry.of else sa.cast(sa.null(), sa.BigInteger)
    return (
        sa.select(table.c.id, text_column.column.label("value"), table.c[entry.at].label("at"), owner.label("user_id"))
        .where(
            table.c.tenant_id == bindparam("tenant"),
            text_column.column.is_not(None),
            *others,
            sa.or_(*matches),
            table.c.id > bindparam("after"),
        )
        .order_by(table.c.id)
        .limit(BATCH)
    )


_items = work_items.c
_BLANK: Final[dict[str, Any]] = {
    "title": "",
    "assignee_name": None,
    "state": "",
    "project": None,
    "fetched_at": _NEVER_FETCHED,
}
_BLANK_ASSIGNED: Final = (
    work_items.update()
    .where(_items.tenant_id == bindparam("tenant"), _items.assignee_name == bindparam("assignee"))
    .values(_BLANK)
)
_BLANK_BY_ID: Final = (
    work_items.update().where(_items.tenant_id == bindparam("tenant"), _items.id == bindparam("row")).values(_BLANK)
)


@cache
def title_query(patterns: int) -> sa.Select[Any]:
    """A page of the cached work items with a title that matches one of so many LIKE patterns."""
    title = sa.func.lower(_items.title)
    matches = [title.like(bindparam(f"pattern_{number}", type_=sa.UnicodeText)) for number in range(patterns)]
    return (
        sa.select(_items.id, _items.title.label("value"))
        .where(_items.tenant_id == bindparam("tenant"), sa.or_(*matches), _items.id > bindparam("after"))
        .order_by(_items.id)
        .limit(BATCH)
    )


def remove_own_text(tx: sa.Connection, name: str, tenant_id: int, user_id: int, *, after: int = 0) -> int | None:
    """Removes the person's own text from a column, entry versions in batches; returns the last row, None at the end.

    An unreadable version is removed as a whole: the person's text in it cannot be separated from the rest.
    """
    column, key = TEXT_COLUMNS[name], {"tenant": tenant_id, "user": user_id}
    if column.remove is not None:
        tx.execute(column.remove, key)
    if column.own is None:
        return None
    rows = tx.execute(column.own, {**key, "after": after}).all()
    for row in rows:
        is_document = isinstance(row.value, dict)
        if not is_document or row.value.get(_NOTE) is not None:
            new = column.value_with(row.value, None) if is_document else UNREADABLE
            tx.execute(column.write, {"tenant": tenant_id, "row": row.id, "new_value": new})
    return rows[-1].id if len(rows) == BATCH else None


def find_mentions(tx: sa.Connection, tenant_id: int, user_id: int, redaction: Redaction) -> Iterator[MentionRow]:
    """The rows of others that mention the person, each once."""
    seen: set[tuple[str, int]] = set()
    for name, column in TEXT_COLUMNS.items():
        for row in _find_rows(tx, name, tenant_id, user_id, redaction):
            if (column.table.name, row.id) not in seen:
                seen.add((column.table.name, row.id))
                yield MentionRow(column.table.name, row.id, row.at, row.user_id)


def replace_mentions(
    tx: sa.Connection, name: str, tenant_id: int, user_id: int, redaction: Redaction, *, kept: set[tuple[str, int]]
) -> None:
    """Redacts mentions of the person in others' text of a column, except in the kept rows."""
    column = TEXT_COLUMNS[name]
    was_changed = True
    while was_changed:
        was_changed = False
        for row in _find_rows(tx, name, tenant_id, user_id, redaction):
            if (column.table.name, row.id) in kept:
                continue
            new = column.value_with(row.value, redaction.redact(column.text_of(row.value) or "", column.limit))
            values = {"tenant": tenant_id, "row": row.id, "new_value": new}
            old = {} if column.is_version else {"old_value": row.value}
            was_changed = tx.execute(column.write, {**values, **old}).rowcount == 0 or was_changed


def blank_work_items(tx: sa.Connection, tenant_id: int, redaction: Redaction) -> None:
    """Blanks the cached work items that are assigned to the person or mention them in the title."""
    if redaction.assignee is not None:
        tx.execute(_BLANK_ASSIGNED, {"tenant": tenant_id, "assignee": redaction.assignee})
    after, statement = 0, title_query(len(redaction.patterns))
    while rows := tx.execute(statement, {"tenant": tenant_id, "after": after, **_pattern_values(redaction)}).all():
        mentioning = [{"tenant": tenant_id, "row": row.id} for row in rows if redaction.matches(row.value)]
        if mentioning:
            tx.execute(_BLANK_BY_ID, mentioning)
        after = rows[-1].id


def _find_rows(
    tx: sa.Connection, name: str, tenant_id: int, user_id: int, redaction: Redaction
) -> Iterator[sa.Row[Any]]:
    column, statement, after = TEXT_COLUMNS[name], mention_query(name, len(redaction.patterns)), 0
    values = {"tenant": tenant_id, "user": user_id, **_pattern_values(redaction)}
    while rows := tx.execute(statement, {**values, "after": after}).all():
        yield from (row for row in rows if redaction.matches(column.text_of(row.value) or ""))
        after = rows[-1].id


def _pattern_values(redaction: Redaction) -> dict[str, str]:
    return {f"pattern_{number}": pattern for number, pattern in enumerate(redaction.patterns)}
