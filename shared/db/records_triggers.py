"""The triggers that keep records append-only, for each engine: made, compared with those that stand, and removed.

A trigger's name has a digest of its statement, so that one of another version is known by its name.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from shared.db.records import GUARD, KEY, RULES, SETTING, Rule


MESSAGE: Final = "append-only: "  # and the table, in the error of a refused statement
_PREFIX: Final = "append_only_"
_NAME: Final = "<name>"  # its place in a statement
_TRUNCATE: Final = "_truncate"  # the end of a name; PostgreSQL's second trigger of a table has the first one's function
_STANDING: Final = {
    "sqlite": "SELECT tbl_name, name, 1 FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": """SELECT of_it.relname, made.tgname, made.tgenabled IN ('O', 'A')
        FROM pg_trigger AS made JOIN pg_class AS of_it ON of_it.oid = made.tgrelid
        WHERE NOT made.tgisinternal AND pg_table_is_visible(of_it.oid)""",
    "mssql": "SELECT OBJECT_NAME(parent_id), name, 1 - is_disabled FROM sys.triggers WHERE parent_id <> 0",
}
_Same = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The names of a table's triggers, and the statements that make them."""

    names: frozenset[str]
    statements: tuple[str, ...]


def unprotected(connection: sa.Connection) -> list[str]:
    """The tables without all of their triggers, enabled and of this version."""
    standing = _standing(connection)
    return [table for table in RULES if not _is_protected(connection, table, standing)]


def protect(connection: sa.Connection) -> None:
    """Makes the triggers that are missing, in the caller's transaction; a second time changes nothing.

    They follow the columns that the tables have: a new one is never to change unless a rule says so.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {GUARD} (is_open INTEGER NOT NULL)")
    for table in unprotected(connection):
        unprotect(connection, table)
        for statement in _wanted(connection, table).statements:
            connection.exec_driver_sql(statement)


def unprotect(connection: sa.Connection, table: str) -> None:
    """Drops a table's triggers, for a migration that changes facts on record; `protect` follows every migration."""
    for name in _standing(connection).get(table, {}):
        if connection.dialect.name == "postgresql":  # the triggers go with their function
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name.removesuffix(_TRUNCATE)} CASCADE")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")


def _is_protected(connection: sa.Connection, table: str, standing: Mapping[str, Mapping[str, bool]]) -> bool:
    found = standing.get(table, {})
    return found.keys() == _wanted(connection, table).names and all(found.values())


def _standing(connection: sa.Connection) -> dict[str, dict[str, bool]]:
    """Of each table the names of its triggers of ours, and whether they are enabled."""
    found: dict[str, dict[str, bool]] = {}
    for table, name, is_enabled in connection.exec_driver_sql(_STANDING[connection.dialect.name]):
        if name.startswith(_PREFIX):
            found.setdefault(table, {})[name] = bool(is_enabled)
    return found


def _wanted(connection: sa.Connection, table: str) -> _Wanted:
    columns = list(connection.exec_driver_sql(f"SELECT * FROM {table} WHERE 1 = 0").keys())  # noqa: S608 - our own name
    made = _MADE[connection.dialect.name](table, RULES[table], columns)
    statements = [statement for each in made.values() for statement in each]
    name = f"{_PREFIX}{table}_{hashlib.sha256(''.join(statements).encode()).hexdigest()[:8]}"
    return _Wanted(frozenset(name + ending for ending in made), tuple(each.replace(_NAME, name) for each in statements))


def _sqlite(table: str, rule: Rule, columns: Sequence[str]) -> dict[str, list[str]]:
    def same_but(names: Sequence[str]) -> str:
        return " AND ".join(f"OLD.{name} IS NEW.{name}" for name in columns if name not in names)

    is_open = f"EXISTS (SELECT 1 FROM {GUARD})"  # noqa: S608 - our own name
    allowed = _allowed(rule, same_but, is_open, old="OLD", new="NEW")
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}{table}'); END"
    unless_open = f" WHEN NOT {is_open}" if rule.deletable else ""
    return {
        "_update": [f"CREATE TRIGGER {_NAME}_update BEFORE UPDATE ON {table} WHEN NOT ({allowed}) {refuse}"],
        "_delete": [f"CREATE TRIGGER {_NAME}_delete BEFORE DELETE ON {table}{unless_open} {refuse}"],
    }


def _postgresql(table: str, rule: Rule, _columns: Sequence[str]) -> dict[str, list[str]]:
    """Rows are compared as documents: JSON has no equality of its own, and columns may come and go."""

    def same_but(names: Sequence[str]) -> str:
        without = "".join(f" - '{name}'" for name in names)
        return f"(to_jsonb(NEW){without}) = (to_jsonb(OLD){without})"

    is_open = f"current_setting('{SETTING}', true) IS NOT DISTINCT FROM 'open'"
    allowed = _allowed(rule, same_but, is_open, old="OLD", new="NEW")
    deletes = f"ELSIF TG_OP = 'DELETE' AND {is_open} THEN RETURN OLD;" if rule.deletable else ""
    function = f"""CREATE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql
        SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                IF {allowed} THEN RETURN NEW; END IF;
            {deletes}
            END IF;
            RAISE EXCEPTION '{MESSAGE}{table}' USING ERRCODE = 'restrict_violation';
        END $$"""
    rows, whole = "BEFORE UPDATE OR DELETE", "BEFORE TRUNCATE"
    run = f"EXECUTE FUNCTION {_NAME}()"
    return {
        "": [function, f"CREATE TRIGGER {_NAME} {rows} ON {table} FOR EACH ROW {run}"],
        _TRUNCATE: [f"CREATE TRIGGER {_NAME}{_TRUNCATE} {whole} ON {table} FOR EACH STATEMENT {run}"],
    }


def _azure_sql(table: str, rule: Rule, columns: Sequence[str]) -> dict[str, list[str]]:
    """All rows of a statement at once, after it; what it throws undoes the transaction."""

    def same_but(names: Sequence[str]) -> str:
        old, new = (", ".join(f"{row}.{name}" for name in columns if name not in names) for row in ("d", "i"))
        return f"NOT EXISTS (SELECT {old} EXCEPT SELECT {new})"  # takes two NULLs for the same

    is_open = f"COALESCE(CAST(SESSION_CONTEXT(N'{KEY}') AS INT), 0) = 1"
    allowed = _allowed(rule, same_but, is_open, old="d", new="i")
    if rule.deletable:
        allowed += f" OR i.{rule.key[0]} IS NULL AND {is_open}"
    own = " AND ".join(f"i.{name} = d.{name}" for name in rule.key)
    trigger = f"""CREATE TRIGGER {_NAME} ON {table} AFTER UPDATE, DELETE AS
        BEGIN
            SET NOCOUNT ON;
            IF EXISTS (SELECT 1 FROM deleted AS d LEFT JOIN inserted AS i ON {own}
                WHERE CASE WHEN {allowed} THEN 1 ELSE 0 END = 0)
                THROW 51016, '{MESSAGE}{table}', 1;
        END"""  # noqa: S608 - our own names
    return {"": [trigger]}


def _allowed(rule: Rule, same_but: _Same, is_open: str, *, old: str, new: str) -> str:
    """The condition under which a row may be updated; it must never be NULL on SQLite and PostgreSQL."""
    ways = [same_but(())]
    if rule.erasable:
        ways.append(f"{same_but(rule.erasable)} AND {is_open}")
    if rule.voiding:
        ways.append(f"{same_but(rule.voiding.columns)} AND {rule.voiding.transition.format(old=old, new=new)}")
    return " OR ".join(ways)


_MADE: Final = {"sqlite": _sqlite, "postgresql": _postgresql, "mssql": _azure_sql}
