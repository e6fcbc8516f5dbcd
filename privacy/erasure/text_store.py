"""Text that people write, in whatever table: removes a person's own, and puts a pseudonym where others name them.

The statements follow from the catalogue, so a column that is added there is covered. Of a version of an entry, which is
JSON, only its note is text; nothing else of it is read or changed.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.catalogue.columns import CATALOGUE
from privacy.catalogue.kinds import Kind
from privacy.erasure.mention_rules import Mentions
from shared.db.documents import UNREADABLE
from shared.db.schema import metadata, time_entries, work_items


BATCH: Final = 500
_NOTE: Final = "note"
_NOTE_LENGTH: Final = 400
assert time_entries.c.note.type.length == _NOTE_LENGTH  # type: ignore[attr-defined]  # noqa: S101 - of our own schema
_OF_ACTION_LOG: Final = "action_log"  # it may be kept elsewhere, so its keeper rewrites it
_LONG_AGO: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # before any reading of Azure DevOps: to be read again
_USER: Final = bindparam("user", type_=sa.BigInteger)


@dataclass(frozen=True, slots=True)
class Place:
    """Where text of others names a person: a row, when it is of and whose it is, if it is somebody's."""

    table: str
    row: int
    at: dt.datetime
    user_id: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column with text that people write, and the statements on it."""

    table: sa.Table
    column: sa.Column[Any]
    limit: int  # of its text, in UTF-16 units
    remove: sa.Update | None  # the person's own text
    own: sa.Select[Any] | None  # the person's own versions of entries that have a note, or that cannot be read
    write: sa.Update

    @property
    def is_version(self) -> bool:
        return isinstance(self.column.type, sa.JSON)

    def text_of(self, value: Any) -> str | None:  # noqa: ANN401 - of the column
        """What a person wrote in a value of the column; None where that is nothing, or cannot be read."""
        text = value.get(_NOTE) if isinstance(value, dict) else None if self.is_version else value
        return text if isinstance(text, str) else None

    def value_with(self, value: Any, text: str | None) -> Any:  # noqa: ANN401 - of the column
        return {**value, _NOTE: text} if self.is_version else text


def _is_theirs(table: sa.Table, names: tuple[str, ...]) -> sa.ColumnElement[bool]:
    return sa.or_(*(table.c[name] == _USER for name in names))


def _column(table: sa.Table, column: sa.Column[Any]) -> Column:
    facts, kind = CATALOGUE[table.name], CATALOGUE[table.name].columns[column.name]
    in_tenant = table.c.tenant_id == bindparam("tenant")
    write = table.update().where(in_tenant, table.c.id == bindparam("row"))
    new = {column.name: bindparam("new_value", type_=column.type)}
    if kind is Kind.VERSION:
        text = sa.cast(column, sa.UnicodeText)
        # In our own spelling a note is text; any other document of the person's has none, or cannot be read.
        noted = sa.or_(text.like(f'%"{_NOTE}": "%'), text.not_like(f'%"{_NOTE}": null%'))
        own = (
            sa.select(table.c.id, column.label("value"))
            .where(in_tenant, column.is_not(None), _is_theirs(table, facts.of), table.c.id > bindparam("after"), noted)
            .order_by(table.c.id)
            .limit(BATCH)
        )
        return Column(table, column, _NOTE_LENGTH, None, own, write.values(new))
    cleared = None if column.nullable else ""
    remove = None
    if kind is Kind.WORDS:
        written = (column.is_not(None), column != sa.literal(""))
        remove = table.update().where(in_tenant, _is_theirs(table, (*facts.of, *facts.by)), *written)
        remove = remove.values({column.name: cleared})
    # Whoever wrote it may change it meanwhile, and what they wrote last stays.
    unchanged = column == bindparam("old_value", type_=column.type)
    limit: int = column.type.length  # type: ignore[attr-defined]  # text has one
    return Column(table, column, limit, remove, None, write.where(unchanged).values(new))


COLUMNS: Final = {
    f"{name}.{column}": _column(metadata.tables[name], metadata.tables[name].c[column])
    for name, facts in CATALOGUE.items()
    for column, kind in facts.columns.items()
    if kind.is_text and name != _OF_ACTION_LOG
}


@cache
def naming(name: str, patterns: int) -> sa.Select[Any]:
    """A page of the others' rows whose column may name the person, by so many LIKE patterns."""
    of = COLUMNS[name]
    table, facts = of.table, CATALOGUE[of.table.name]
    text = sa.func.lower(sa.cast(of.column, sa.UnicodeText) if of.is_version else of.column)
    likely = [text.like(bindparam(f"pattern_{number}", type_=sa.UnicodeText)) for number in range(patterns)]
    own = facts.of if of.is_version else (*facts.of, *facts.by)
    others = [sa.or_(table.c[column].is_(None), table.c[column] != _USER) for column in own]
    assert facts.at is not None  # noqa: S101 - tests/contract/test_privacy.py
    whose = table.c[facts.of[0]] if facts.of else sa.cast(sa.null(), sa.BigInteger)
    return (
        sa.select(table.c.id, of.column.label("value"), table.c[facts.at].label("at"), whose.label("user_id"))
        .where(
            table.c.tenant_id == bindparam("tenant"),
            of.column.is_not(None),
            *others,
            sa.or_(*likely),
            table.c.id > bindparam("after"),
        )
        .order_by(table.c.id)
        .limit(BATCH)
    )


_items = work_items.c
_BLANK: Final[dict[str, Any]] = {"title": "", "assignee_name": None, "state": "", "fetched_at": _LONG_AGO}
_BLANK_ASSIGNED: Final = (
    work_items.update()
    .where(_items.tenant_id == bindparam("tenant"), _items.assignee_name == bindparam("assignee"))
    .values(_BLANK)
)
_BLANK_TITLED: Final = (
    work_items.update().where(_items.tenant_id == bindparam("tenant"), _items.id == bindparam("row")).values(_BLANK)
)


@cache
def titles(patterns: int) -> sa.Select[Any]:
    """A page of the cached work items whose title may name the person."""
    title = sa.func.lower(_items.title)
    likely = [title.like(bindparam(f"pattern_{number}", type_=sa.UnicodeText)) for number in range(patterns)]
    return (
        sa.select(_items.id, _items.title.label("value"))
        .where(_items.tenant_id == bindparam("tenant"), sa.or_(*likely), _items.id > bindparam("after"))
        .order_by(_items.id)
        .limit(BATCH)
    )


def remove_own(tx: sa.Connection, name: str, tenant_id: int, user_id: int, *, after: int = 0) -> int | None:
    """Removes the person's own text from a column, of versions a batch; the row after which to go on, None at the end.

    A version that cannot be read goes as a whole: what the person wrote in it cannot be told from the rest.
    """
    column, whose = COLUMNS[name], {"tenant": tenant_id, "user": user_id}
    if column.remove is not None:
        tx.execute(column.remove, whose)
    if column.own is None:
        return None
    rows = tx.execute(column.own, {**whose, "after": after}).all()
    for row in rows:
        is_document = isinstance(row.value, dict)
        if not is_document or row.value.get(_NOTE) is not None:
            new = column.value_with(row.value, None) if is_document else UNREADABLE
            tx.execute(column.write, {"tenant": tenant_id, "row": row.id, "new_value": new})
    return rows[-1].id if len(rows) == BATCH else None


def places(tx: sa.Connection, tenant_id: int, user_id: int, mentions: Mentions) -> Iterator[Place]:
    """Where text of others names the person, a row once."""
    seen: set[tuple[str, int]] = set()
    for name, column in COLUMNS.items():
        for row in _naming(tx, name, tenant_id, user_id, mentions):
            if (column.table.name, row.id) not in seen:
                seen.add((column.table.name, row.id))
                yield Place(column.table.name, row.id, row.at, row.user_id)


def replace_mentions(
    tx: sa.Connection, name: str, tenant_id: int, user_id: int, mentions: Mentions, *, kept: set[tuple[str, int]]
) -> None:
    """Puts the pseudonym wherever a column's text of others names the person, but in the rows that are kept."""
    column = COLUMNS[name]
    missed = True
    while missed:
        missed = False
        for row in _naming(tx, name, tenant_id, user_id, mentions):
            if (column.table.name, row.id) in kept:
                continue
            new = column.value_with(row.value, mentions.without(column.text_of(row.value) or "", column.limit))
            values = {"tenant": tenant_id, "row": row.id, "new_value": new}
            old = {} if column.is_version else {"old_value": row.value}
            missed = tx.execute(column.write, {**values, **old}).rowcount == 0 or missed


def blank_copies(tx: sa.Connection, tenant_id: int, mentions: Mentions) -> None:
    """Blanks the cached work items of the person, and those whose title names them."""
    if mentions.assignee is not None:
        tx.execute(_BLANK_ASSIGNED, {"tenant": tenant_id, "assignee": mentions.assignee})
    after, statement = 0, titles(len(mentions.patterns))
    while rows := tx.execute(statement, {"tenant": tenant_id, "after": after, **_likely(mentions)}).all():
        named = [{"tenant": tenant_id, "row": row.id} for row in rows if mentions.name_in(row.value)]
        if named:
            tx.execute(_BLANK_TITLED, named)
        after = rows[-1].id


def _naming(tx: sa.Connection, name: str, tenant_id: int, user_id: int, mentions: Mentions) -> Iterator[sa.Row[Any]]:
    column, statement, after = COLUMNS[name], naming(name, len(mentions.patterns)), 0
    values = {"tenant": tenant_id, "user": user_id, **_likely(mentions)}
    while rows := tx.execute(statement, {**values, "after": after}).all():
        yield from (row for row in rows if mentions.name_in(column.text_of(row.value) or ""))
        after = rows[-1].id


def _likely(mentions: Mentions) -> dict[str, str]:
    return {f"pattern_{number}": pattern for number, pattern in enumerate(mentions.patterns)}
