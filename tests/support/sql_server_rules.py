"""SQL Server's rules about schema changes with dependent objects, checked for a printed migration script.

A model of the tables, columns, keys and indexes that a script has created so far. The numbers are those of SQL Server's
errors. Unknown statements are refused too.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final


NOT_UNDERSTOOD: Final = "not understood by tests/support/sql_server_rules.py"
_BYTES: Final = {"BIGINT": 8, "INTEGER": 4, "BIT": 1, "UNIQUEIDENTIFIER": 16, "DATE": 3, "DATETIMEOFFSET": 10}
_LONGEST_KEY: Final = {True: 900, False: 1700}  # bytes, by whether it is clustered
_UNIQUE: Final = {"PRIMARY KEY", "UNIQUE"}
_IN_A_FILTER: Final = re.compile(r"\b(OR|NOT(?! NULL)|LIKE|BETWEEN|CASE)\b|\w\(", re.IGNORECASE)
_SIZE: Final = re.compile(r"(N?VAR(?:CHAR|BINARY))\((\d+|max)\)", re.IGNORECASE)


@dataclass
class Column:
    type: str
    is_null: bool
    has_default: bool = False


@dataclass
class Key:
    """A constraint: `PRIMARY KEY`, `UNIQUE`, `FOREIGN KEY` or `CHECK`, and the columns it names."""

    kind: str
    columns: tuple[str, ...]
    target: tuple[str, tuple[str, ...]] | None = None


@dataclass
class Index:
    columns: tuple[str, ...]
    is_unique: bool
    where: str = ""
    filtered: tuple[str, ...] = ()


@dataclass
class Table:
    columns: dict[str, Column] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    indexes: dict[str, Index] = field(default_factory=dict)

    def named_in(self, text: str) -> tuple[str, ...]:
        """The columns that an expression names."""
        words = re.findall(r"\w+", re.sub(r"'(?:[^']|'')*'", "", text))
        return tuple(name for name in self.columns if name in words)


class Schema:
    """The objects that a script has created; `run` takes its batches in order."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def run(self, batch: str) -> list[str]:
        """The errors of SQL Server for the batch; empty if it is valid."""
        text = re.sub(r"^\s*--.*$", "", batch, flags=re.MULTILINE)
        text = re.sub(r"BEGIN TRANSACTION;|COMMIT;", "", text).strip().removesuffix(";")
        text = re.sub(r"\s+", " ", text)
        if not text:
            return []
        if ";" in re.sub(r"'(?:[^']|'')*'", "", text):
            return [f"207: a statement cannot use objects created in its own batch: {text}"]
        for pattern, action in _ACTIONS.items():
            if found := re.fullmatch(pattern, text, flags=re.IGNORECASE):
                try:
                    return [f"{refused}: {text}" for refused in action(self, **found.groupdict())]
                except KeyError as missing:
                    return [f"there is no {missing} (207, 4902, 3701, 3728): {text}"]
        return [f"{NOT_UNDERSTOOD}: {text}"]

    def create_table(self, table: str, body: str) -> Iterator[str]:
        made = self.tables[table] = Table()
        parts = _split(body)
        for part in parts:
            if not part.startswith("CONSTRAINT "):
                made.columns.update([_column(part)])
        for part in sorted(parts, key=lambda part: " FOREIGN KEY" in part):  # it may reference a key of this table
            if part.startswith("CONSTRAINT "):
                yield from self.add_constraint(table, *part.removeprefix("CONSTRAINT ").split(" ", 1))

    def add_column(self, table: str, column: str) -> Iterator[str]:
        name, made = _column(column)
        if not made.is_null and not made.has_default and "IDENTITY" not in column:
            yield "4901: existing rows have no value for a column that is NOT NULL and has no default"
        if name in self.tables[table].columns:
            yield "2705: the column exists"
        self.tables[table].columns[name] = made

    def alter_column(self, table: str, column: str) -> Iterator[str]:
        name, new = _column(column)
        old = self.tables[table].columns[name]
        grows = _grows(old, new)
        for index, found in self.tables[table].indexes.items():
            if name in found.filtered:
                yield f"5074: the WHERE of {index} names the column"
            if name in found.columns and not grows:
                yield f"5074: {index} has the column, which may only grow then"
        for key, kind in self._keys_with(table, name):
            if kind in {"PRIMARY KEY", "FOREIGN KEY"} or not grows:
                yield f"5074: {key} has the column"
        if old.has_default and new.type.partition("(")[0] != old.type.partition("(")[0]:
            yield "5074: the column has a default, so its type stays"
        self.tables[table].columns[name] = Column(new.type, new.is_null, old.has_default)

    def drop_column(self, table: str, name: str) -> Iterator[str]:
        for index, found in self.tables[table].indexes.items():
            if name in found.columns + found.filtered:
                yield f"5074: {index} has the column"
        for key, _ in self._keys_with(table, name):
            yield f"5074: {key} has the column"
        if self.tables[table].columns.pop(name).has_default:
            yield "5074: the column has a default: drop_column(..., mssql_drop_default=True)"

    def drop_unnamed(self, table: str, catalog: str, name: str, again: str) -> Iterator[str]:
        """Alembic's statement that drops a column's constraint with a name given by the server."""
        if (catalog, again) != ("default", table):
            yield NOT_UNDERSTOOD
        elif not self.tables[table].columns[name].has_default:
            yield "the column has no default, so the composed statement is invalid"
        self.tables[table].columns[name].has_default = False

    def add_default(self, table: str, name: str) -> Iterator[str]:
        if self.tables[table].columns[name].has_default:
            yield "1781: the column has a default"
        self.tables[table].columns[name].has_default = True

    def add_constraint(self, table: str, name: str, definition: str) -> Iterator[str]:
        made, columns = self.tables[table], self.tables[table].columns
        kind = next(each for each in ("PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK") if definition.startswith(each))
        if kind == "CHECK":
            made.keys[name] = Key(kind, made.named_in(definition))
            return
        listed = [tuple(re.split(r",\s*", each)) for each in re.findall(r"\(([^()]*)\)", definition)]
        key = made.keys[name] = Key(kind, listed[0])
        if missing := [column for column in key.columns if column not in columns]:
            yield f"1911: there is no column {missing[0]}"
        elif kind == "FOREIGN KEY":
            target = definition.partition("REFERENCES ")[2].split()[0]
            key.target = (target, listed[1])
            unique = [each.columns for each in self.tables[target].keys.values() if each.kind in _UNIQUE]
            if listed[1] not in unique:
                yield f"1776: no key of {target} has just the columns that {name} names"
        else:
            yield from _too_long(made, name, key.columns, is_clustered=kind == "PRIMARY KEY")
            for column in [column for column in key.columns if columns[column].is_null]:
                yield f"NULL is a value in {name}: a filtered index leaves rows without {column} out"

    def drop_constraint(self, table: str, name: str) -> Iterator[str]:
        key = self.tables[table].keys.pop(name)
        for _, other, found in self._foreign_keys_to(table):
            if found.target == (table, key.columns):
                yield f"3725: {other} points at the key"

    def create_index(self, unique: str | None, name: str, table: str, columns: str, where: str | None) -> Iterator[str]:
        made = self.tables[table]
        index = Index(tuple(re.split(r",\s*", columns)), unique is not None, where or "")
        index.filtered = made.named_in(index.where)
        if name in made.indexes:
            yield "1913: the index exists"
        made.indexes[name] = index
        if missing := [column for column in index.columns if column not in made.columns]:
            yield f"1911: there is no column {missing[0]}"
            return
        yield from _too_long(made, name, index.columns, is_clustered=False)
        if _IN_A_FILTER.search(re.sub(r"'(?:[^']|'')*'|IN \(", "", index.where)):
            yield "10735: a filter may only compare columns with constants, joined by AND"
        for column in index.columns if index.is_unique else ():
            if made.columns[column].is_null and column not in index.filtered:
                yield f"NULL is a value in {name}: its WHERE leaves rows without {column} out"

    def drop_index(self, name: str, table: str) -> Iterator[str]:
        del self.tables[table].indexes[name]
        yield from ()

    def drop_table(self, table: str) -> Iterator[str]:
        yield from (f"3726: {name} points at it" for owner, name, _ in self._foreign_keys_to(table) if owner != table)
        del self.tables[table]

    def rename_column(self, table: str, name: str, new: str) -> Iterator[str]:
        made = self.tables[table]
        for key, kind in self._keys_with(table, name):
            if kind == "CHECK":
                yield f"15336: {key} names the column"
        for index, found in made.indexes.items():
            if name in found.filtered:
                yield f"15336: the WHERE of {index} names the column"
            found.columns = tuple(new if each == name else each for each in found.columns)
        for holder in made.keys.values():
            holder.columns = tuple(new if each == name else each for each in holder.columns)
        for _, _, other in self._foreign_keys_to(table):
            target, columns = other.target or (table, ())
            other.target = (target, tuple(new if each == name else each for each in columns))
        made.columns = {new if each == name else each: column for each, column in made.columns.items()}

    def change_rows(self, table: str) -> Iterator[str]:
        assert self.tables[table]
        yield from ()

    def _keys_with(self, table: str, column: str) -> Iterator[tuple[str, str]]:
        for name, key in self.tables[table].keys.items():
            if column in key.columns:
                yield name, key.kind
        for _, name, key in self._foreign_keys_to(table):
            if key.target and column in key.target[1]:
                yield name, key.kind

    def _foreign_keys_to(self, table: str) -> Iterator[tuple[str, str, Key]]:
        """The foreign keys to the table: owner, name and key."""
        for owner, made in self.tables.items():
            yield from ((owner, name, key) for name, key in made.keys.items() if key.target and key.target[0] == table)


_ACTIONS: Final[dict[str, Callable[..., Iterator[str]]]] = {
    r"CREATE TABLE (?P<table>\w+) \( ?(?P<body>.*?) ?\)": Schema.create_table,
    r"ALTER TABLE (?P<table>\w+) ADD CONSTRAINT (?P<name>\w+) (?P<definition>.*)": Schema.add_constraint,
    r"ALTER TABLE (?P<table>\w+) ADD DEFAULT .* FOR (?P<name>\w+)": Schema.add_default,
    r"ALTER TABLE (?P<table>\w+) ADD (?P<column>.*)": Schema.add_column,
    r"ALTER TABLE (?P<table>\w+) ALTER COLUMN (?P<column>.*)": Schema.alter_column,
    r"ALTER TABLE (?P<table>\w+) DROP COLUMN (?P<name>\w+)": Schema.drop_column,
    r"ALTER TABLE (?P<table>\w+) DROP CONSTRAINT (?P<name>\w+)": Schema.drop_constraint,
    r"declare @const_name varchar\(256\) select @const_name = QUOTENAME\(\[name\]\)"
    r" from sys\.(?P<catalog>\w+)_constraints where parent_object_id = object_id\('(?P<table>\w+)'\)"
    r" and col_name\(parent_object_id, parent_column_id\) = '(?P<name>\w+)'"
    r" exec\('alter table (?P<again>\w+) drop constraint ' \+ @const_name\)": Schema.drop_unnamed,
    r"CREATE (?P<unique>UNIQUE )?INDEX (?P<name>\w+) ON (?P<table>\w+) \((?P<columns>[^()]*)\)"
    r"(?: WHERE (?P<where>.*))?": Schema.create_index,
    r"DROP INDEX (?P<name>\w+) ON (?P<table>\w+)": Schema.drop_index,
    r"DROP TABLE (?P<table>\w+)": Schema.drop_table,
    r"EXEC sp_rename '(?P<table>\w+)\.(?P<name>\w+)', \[?(?P<new>\w+)\]?, 'COLUMN'": Schema.rename_column,
    r"(?:UPDATE|DELETE FROM|INSERT INTO) (?P<table>\w+)\b.*": Schema.change_rows,
}


def batches(script: str) -> list[str]:
    return [batch.strip() for batch in re.split(r"^GO$", script, flags=re.MULTILINE) if batch.strip()]


def _split(text: str) -> list[str]:
    """Splits at commas outside parentheses and quotes."""
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == "'"
        depth += 0 if quoted else (letter == "(") - (letter == ")")
        if letter == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _column(text: str) -> tuple[str, Column]:
    found = re.fullmatch(r"(\w+) (\w+(?:\([^)]*\))?)(.*)", text)
    assert found is not None, text
    name, type_, rest = found.groups()
    return name, Column(type_, "NOT NULL" not in rest, " DEFAULT " in rest)


def _grows(old: Column, new: Column) -> bool:
    """Whether the only change is a greater length of text."""
    before, after = _SIZE.fullmatch(old.type), _SIZE.fullmatch(new.type)
    if old.is_null != new.is_null or before is None or after is None or before[1] != after[1]:
        return False
    return "max" not in {before[2], after[2]} and int(after[2]) >= int(before[2])


def _too_long(table: Table, name: str, columns: tuple[str, ...], *, is_clustered: bool) -> Iterator[str]:
    size = sum(_bytes(table.columns[column].type) for column in columns)
    if size > _LONGEST_KEY[is_clustered]:
        yield f"1946: {name} may have {size} bytes"


def _bytes(type_: str) -> int:
    if (sized := _SIZE.fullmatch(type_)) is not None:
        each = 2 if sized[1].upper().startswith("N") else 1
        return 10_000 if sized[2] == "max" else each * int(sized[2])
    return _BYTES.get(type_.partition("(")[0], 17)  # a decimal has at most 17
