"""The triggers that keep records append-only, for each engine: made, compared with those that stand, and removed.

A trigger's name has a digest of its statement, so that one of another version is known by its name. What it does is
compared, too: whoever may make one may put another under its name.
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
_PATH: Final = "search_path=pg_catalog, pg_temp"  # of PostgreSQL's functions
_STANDING: Final = {
    "sqlite": "SELECT tbl_name, name, 1, sql FROM sqlite_master WHERE type = 'trigger'",
    # enabled, for every row and column; when it runs and for which statements is in tgtype
    "postgresql": f"""SELECT of_it.relname, made.tgname,
            made.tgenabled IN ('O', 'A') AND made.tgqual IS NULL AND made.tgattr::text = ''
                AND run.proconfig = ARRAY['{_PATH}'],
            made.tgtype || ' ' || run.prosrc
        FROM pg_trigger AS made
        JOIN pg_class AS of_it ON of_it.oid = made.tgrelid
        JOIN pg_proc AS run ON run.oid = made.tgfoid
        WHERE NOT made.tgisinternal AND pg_table_is_visible(of_it.oid)""",  # noqa: S608 - our own text
    "mssql": "SELECT OBJECT_NAME(parent_id), name, 1 - is_disabled, OBJECT_DEFINITION(object_id) FROM sys.triggers"
    " WHERE parent_id <> 0",
}
_LEFT_OPEN: Final = {
    "sqlite": (GUARD, f"SELECT EXISTS (SELECT 1 FROM {GUARD})"),  # noqa: S608 - our own name
    "postgresql": (
        SETTING,
        f"""SELECT current_setting('{SETTING}', true) IS NOT DISTINCT FROM 'open' OR EXISTS (
            SELECT 1 FROM pg_db_role_setting, unnest(setconfig) AS each WHERE lower(each) = '{SETTING}=open')""",  # noqa: S608 - likewise
    ),
}
_Same = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class _Trigger:
    """Its definition as the engine lists it, and the statements that make it."""

    definition: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The definitions of a table's triggers by name, and the statements that make them."""

    definitions: Mapping[str, str]
    statements: tuple[str, ...]


def unprotected(connection: sa.Connection) -> list[str]:
    """The tables without all of their triggers, enabled, of this version and with its definitions."""
    standing = _standing(connection)
    return [table for table in RULES if standing.get(table, {}) != _wanted(connection, table).definitions]


def left_open(connection: sa.Connection) -> str:
    """What keeps the guard open beyond a transaction; empty where it is closed. Not to be asked while it is open.

    On SQLite it is the table of the guard, with a row that is committed; on PostgreSQL the setting, of the database or
    of a role. Azure SQL keeps none.
    """
    name, is_open = _LEFT_OPEN.get(connection.dialect.name, ("", ""))
    return name if is_open and connection.exec_driver_sql(is_open).scalar_one() else ""


def protect(connection: sa.Connection) -> None:
    """Makes the triggers that are missing or differ, in the caller's transaction; a second time changes nothing.

    They follow the columns that the tables have: a new one is never to change unless a rule says so.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {GUARD} (is_open INTEGER NOT NULL)")
        connection.exec_driver_sql(f"DELETE FROM {GUARD}")  # noqa: S608 - our own name
    for table in unprotected(connection):
        unprotect(connection, table)
        for statement in _wanted(connection, table).statements:
            connection.exec_driver_sql(statement)


def unprotect(connection: sa.Connection, table: str) -> None:
    """Drops a table's triggers, for a migration that changes facts on record; `protect` follows every migration."""
    for name in _standing(connection).get(table, {}):
        if connection.dialect.name == "postgresql":  # the triggers go with their function, unless they have another
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name.removesuffix(_TRUNCATE)} CASCADE")
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")


def _standing(connection: sa.Connection) -> dict[str, dict[str, str]]:
    """Of each table its triggers of ours by name: their definitions, empty where one is not fully enabled."""
    found: dict[str, dict[str, str]] = {}
    for table, name, is_enabled, definition in connection.exec_driver_sql(_STANDING[connection.dialect.name]):
        if name.startswith(_PREFIX):
            found.setdefault(table, {})[name] = definition if is_enabled else ""
    return found


def _wanted(connection: sa.Connection, table: str) -> _Wanted:
    columns = list(connection.exec_driver_sql(f"SELECT * FROM {table} WHERE 1 = 0").keys())  # noqa: S608 - our own name
    made = _MADE[connection.dialect.name](table, RULES[table], columns)
    statements = [statement for each in made.values() for statement in each.statements]
    name = f"{_PREFIX}{table}_{hashlib.sha256(''.join(statements).encode()).hexdigest()[:8]}"
    return _Wanted(
        {name + ending: each.definition.replace(_NAME, name) for ending, each in made.items()},
        tuple(each.replace(_NAME, name) for each in statements),
    )


def _sqlite(table: str, rule: Rule, columns: Sequence[str]) -> dict[str, _Trigger]:
    def same_but(names: Sequence[str]) -> str:
        return " AND ".join(f"OLD.{name} IS NEW.{name}" for name in columns if name not in names)

    is_open = f"EXISTS (SELECT 1 FROM {GUARD})"  # noqa: S608 - our own name
    allowed = _allowed(rule, same_but, is_open, old="OLD", new="NEW")
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}{table}'); END"
    unless_open = f" WHEN NOT {is_open}" if rule.deletable else ""
    update = f"CREATE TRIGGER {_NAME}_update BEFORE UPDATE ON {table} WHEN NOT ({allowed}) {refuse}"
    delete = f"CREATE TRIGGER {_NAME}_delete BEFORE DELETE ON {table}{unless_open} {refuse}"
    return {"_update": _Trigger(update, (update,)), "_delete": _Trigger(delete, (delete,))}


def _postgresql(table: str, rule: Rule, _columns: Sequence[str]) -> dict[str, _Trigger]:
    """Rows are compared as documents: JSON has no equality of its own, and columns may come and go."""

    def same_but(names: Sequence[str]) -> str:
        without = "".join(f" - '{name}'" for name in names)
        return f"(to_jsonb(NEW){without}) = (to_jsonb(OLD){without})"

    is_open = f"current_setting('{SETTING}', true) IS NOT DISTINCT FROM 'open'"
    allowed = _allowed(rule, same_but, is_open, old="OLD", new="NEW")
    deletes = f"ELSIF TG_OP = 'DELETE' AND {is_open} THEN RETURN OLD;" if rule.deletable else ""
    body = f"""
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                IF {allowed} THEN RETURN NEW; END IF;
            {deletes}
            END IF;
            RAISE EXCEPTION '{MESSAGE}{table}' USING ERRCODE = 'restrict_violation';
        END """
    drop = f"DROP FUNCTION IF EXISTS {_NAME}() CASCADE"  # one that has lost its triggers
    function = f"CREATE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql SET {_PATH} AS $${body}$$"
    run = f"EXECUTE FUNCTION {_NAME}()"
    rows = f"CREATE TRIGGER {_NAME} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {run}"
    whole = f"CREATE TRIGGER {_NAME}{_TRUNCATE} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}"
    return {  # with pg_trigger's tgtype: 1 row, 2 before, 8 delete, 16 update, 32 truncate
        "": _Trigger(f"{1 + 2 + 8 + 16} {body}", (drop, function, rows)),
        _TRUNCATE: _Trigger(f"{2 + 32} {body}", (whole,)),
    }


def _azure_sql(table: str, rule: Rule, columns: Sequence[str]) -> dict[str, _Trigger]:
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
    return {"": _Trigger(trigger, (trigger,))}


def _allowed(rule: Rule, same_but: _Same, is_open: str, *, old: str, new: str) -> str:
    """The condition under which a row may be updated; it must never be NULL on SQLite and PostgreSQL."""
    ways = [same_but(())]
    if rule.erasable:
        ways.append(f"{same_but(rule.erasable)} AND {is_open}")
    if rule.voiding:
        ways.append(f"{same_but(rule.voiding.columns)} AND {rule.voiding.transition.format(old=old, new=new)}")
    return " OR ".join(ways)


_MADE: Final = {"sqlite": _sqlite, "postgresql": _postgresql, "mssql": _azure_sql}
