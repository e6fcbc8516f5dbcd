"""Text about a person, in whatever table: removes what is theirs, and puts a pseudonym where others name them.

The statements follow from the catalogue, so a column that is added there is covered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.rules_catalogue import CATALOGUE
from privacy.rules_kinds import Kind
from privacy.rules_words import Words
from shared.db.schema import metadata


BATCH: Final = 500
_NOTE: Final = "note"  # the one text in a version of an entry, as the timer log keeps it
_OF_ACTION_LOG: Final = "action_log"  # it may be kept elsewhere, so its keeper rewrites it


@dataclass(frozen=True, slots=True)
class Column:
    """A column with text, and the statements on it."""

    remove: sa.Update | None  # the person's own text, where it is text
    own: sa.Select[Any] | None  # the person's own JSON that has a note
    naming: sa.Select[Any]  # text with something in it that may be the person
    write: sa.Update


def _whose(table: sa.Table, names: tuple[str, ...]) -> sa.ColumnElement[bool]:
    return sa.or_(*(table.c[name] == bindparam("user") for name in names))


def _column(table: sa.Table, column: sa.Column[Any]) -> Column:
    facts, kind = CATALOGUE[table.name], CATALOGUE[table.name].columns[column.name]
    in_tenant = table.c.tenant_id == bindparam("tenant")
    text = sa.cast(column, sa.UnicodeText)
    page = (
        sa.select(table.c.id, column.label("words"))
        .where(in_tenant, column.is_not(None), table.c.id > bindparam("after"))
        .order_by(table.c.id)
        .limit(BATCH)
    )
    is_json, is_own = isinstance(column.type, sa.JSON), kind is Kind.WORDS and facts.of
    cleared = None if column.nullable else ""
    own = page.where(_whose(table, facts.of), text.like(f'%"{_NOTE}": "%')) if is_own and is_json else None
    return Column(
        remove=table.update()
        .where(in_tenant, _whose(table, (*facts.of, *facts.by)), column.is_not(None), column != sa.literal(""))
        .values({column.name: cleared})
        if is_own and not is_json
        else None,
        own=own,
        naming=page.where(sa.func.lower(text).like(bindparam("pattern", type_=sa.UnicodeText))),
        write=table.update()
        .where(in_tenant, table.c.id == bindparam("row"))
        .values({column.name: bindparam("new_words", type_=column.type)}),
    )


COLUMNS: Final = {
    f"{name}.{column}": _column(metadata.tables[name], metadata.tables[name].c[column])
    for name, facts in CATALOGUE.items()
    for column, kind in facts.columns.items()
    if kind in {Kind.WORDS, Kind.MENTIONS} and name != _OF_ACTION_LOG
}


def remove_own(tx: sa.Connection, name: str, tenant_id: int, user_id: int) -> int:
    """Removes the person's own text from a column, of JSON at most one batch; how many rows changed."""
    column, whose = COLUMNS[name], {"tenant": tenant_id, "user": user_id}
    if column.remove is not None:
        return tx.execute(column.remove, whose).rowcount
    if column.own is None:
        return 0
    rows = tx.execute(column.own, {**whose, "after": 0}).all()
    for row in rows:
        _write(tx, column, tenant_id, row.id, {**row.words, _NOTE: None})
    return len(rows)


def remove_mentions(tx: sa.Connection, name: str, tenant_id: int, words: Words) -> int:
    """Puts the pseudonym wherever a column's text names the person; how many rows changed."""
    changed = 0
    for pattern in words.likely():
        for row in _naming(tx, COLUMNS[name], tenant_id, pattern):
            new = words.without(row.words)
            if new != row.words:
                _write(tx, COLUMNS[name], tenant_id, row.id, new)
                changed += 1
    return changed


def _naming(tx: sa.Connection, column: Column, tenant_id: int, pattern: str) -> Iterator[sa.Row[Any]]:
    after = 0
    while rows := tx.execute(column.naming, {"tenant": tenant_id, "pattern": pattern, "after": after}).all():
        yield from rows
        after = rows[-1].id


def _write(tx: sa.Connection, column: Column, tenant_id: int, row: int, words: Any) -> None:  # noqa: ANN401 - of it
    tx.execute(column.write, {"tenant": tenant_id, "row": row, "new_words": words})
