"""The triggers that keep records append-only on each database: created, compared and dropped.

A trigger's name contains a digest of its statement, which identifies its version. The definition is compared, too,
since another trigger could have the same name.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from shared.db.records import GUARD, KEY, RULES, SETTING, RecordRule


MESSAGE: Final = "append-only: "  # in the error of a refused statement, followed by the table
_PREFIX: Final = "append_only_"
_NAME: Final = "<name>"  # the placeholder in a statement
_TRUNCATE: Final = "_truncate"  # the suffix of the second trigger on PostgreSQL, which shares its function
_PATH: Final = "search_path=pg_catalog, pg_temp"  # of PostgreSQL's functions
_TRIGGERS: Final = {
    "sqlite": "SELECT tbl_name, name, 1, sql FROM sqlite_master WHERE type = 'trigger'",
    # enabled for every row and column; tgtype has its time and statements
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
_OPEN_GUARD: Final = {
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
    """The definition as the database lists it, and the statements that create it."""

    definition: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _TableTriggers:
    """The definitions of a table's triggers by name, and the statements that create them."""

    definitions: Mapping[str, str]
    statements: tuple[str, ...]


def find_unprotected_tables(connection: sa.Connection) -> list[str]:
    """The tables that lack an enabled trigger of the current version and definition."""
    existing = _load_triggers(connection)
    return [table for table in RULES if existing.get(table, {}) != _build_triggers(connection, table).definitions]


def find_open_guard(connection: sa.Connection) -> str:
    """The name of a guard that is open beyond a transaction; empty if none. Not to be called with an open guard.

    On SQLite it is the guard's table with a committed row, on PostgreSQL the setting of the database or of a role.
    Azure SQL has none.
    """
    name, is_open = _OPEN_GUARD.get(connection.dialect.name, ("", ""))
    return name if is_open and connection.exec_driver_sql(is_open).scalar_one() else ""


def protect(connection: sa.Connection) -> None:
    """Creates missing and outdated triggers in the caller's transaction; idempotent.

    They cover all columns of a table: a new column may not change unless a rule allows it.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {GUARD} (is_open INTEGER NOT NULL)")
        connection.exec_driver_sql(f"DELETE FROM {GUARD}")  # noqa: S608 - our own name
    for table in find_unprotected_tables(connection):
        unprotect(connection, table)
        for statement in _build_triggers(connection, table).statements:
            connection.exec_driver_sql(statement)


def unprotect(connection: sa.Connection, table: str) -> None:
    """Drops a table's triggers, for a migration that changes facts; `protect` runs after every migration."""
    for name in _load_triggers(connection).get(table, {}):
        if connection.dialect.name == "postgresql":  # drops the function's triggers as well
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name.removesuffix(_TRUNCATE)} CASCADE")
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")


def _load_triggers(connection: sa.Connection) -> dict[str, dict[str, str]]:
    """The definitions of our triggers by table and name; empty for one that is not fully enabled."""
    triggers: dict[str, dict[str, str]] = {}
    for table, name, is_enabled, definition in connection.exec_driver_sql(_TRIGGERS[connection.dialect.name]):
        if name.startswith(_PREFIX):
            triggers.setdefault(table, {})[name] = definition if is_enabled else ""
    return triggers


def _build_triggers(connection: sa.Connection, table: str) -> _TableTriggers:
    columns = list(connection.exec_driver_sql(f"SELECT * FROM {table} WHERE 1 = 0").keys())  # noqa: S608 - our own name
    built = _BUILDERS[connection.dialect.name](table, RULES[table], columns)
    statements = [statement for each in built.values() for statement in each.statements]
    name = f"{_PREFIX}{table}_{hashlib.sha256(''.join(statements).encode()).hexdigest()[:8]}"
    return _TableTriggers(
        {name + ending: each.definition.replace(_NAME, name) for ending, each in built.items()},
        tuple(each.replace(_NAME, name) for each in statements),
    )


def _sqlite(table: str, rule: RecordRule, columns: Sequence[str]) -> dict[str, _Trigger]:
    def same_but(names: Sequence[str]) -> str:
        return " AND ".join(f"OLD.{name} IS NEW.{name}" for name in columns if name not in names)

    is_open = f"EXISTS (SELECT 1 FROM {GUARD})"  # noqa: S608 - our own name
    allowed = _allowed(rule, same_but, is_open, old="OLD", new="NEW")
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}{table}'); END"
    unless_open = f" WHEN NOT {is_open}" if rule.deletable else ""
    update = f"CREATE TRIGGER {_NAME}_update BEFORE UPDATE ON {table} WHEN NOT ({allowed}) {refuse}"
    delete = f"CREATE TRIGGER {_NAME}_delete BEFORE DELETE ON {table}{unless_open} {refuse}"
    return {"_update": _Trigger(update, (update,)), "_delete": _Trigger(delete, (delete,))}


def _postgresql(table: str, rule: RecordRule, _columns: Sequence[str]) -> dict[str, _Trigger]:
    """Compares rows as JSON documents, since json columns have no equality, and columns may change."""

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
    drop = f"DROP FUNCTION IF EXISTS {_NAME}() CASCADE"  # a function without its triggers
    function = f"CREATE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql SET {_PATH} AS $${body}$$"
    run = f"EXECUTE FUNCTION {_NAME}()"
    rows = f"CREATE TRIGGER {_NAME} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {run}"
    whole = f"CREATE TRIGGER {_NAME}{_TRUNCATE} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}"
    return {  # with pg_trigger's tgtype: 1 row, 2 before, 8 delete, 16 update, 32 truncate
        "": _Trigger(f"{1 + 2 + 8 + 16} {body}", (drop, function, rows)),
        _TRUNCATE: _Trigger(f"{2 + 32} {body}", (whole,)),
    }


def _azure_sql(table: str, rule: RecordRule, columns: Sequence[str]) -> dict[str, _Trigger]:
    """Checks all rows of a statement after it; an error rolls the transaction back."""

    def same_but(names: Sequence[str]) -> str:
        old, new = (", ".join(f"{row}.{name}" for name in columns if name not in names) for row in ("d", "i"))
        return f"NOT EXISTS (SELECT {old} EXCEPT SELECT {new})"  # equal for two NULLs

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


def _allowed(rule: RecordRule, same_but: _Same, is_open: str, *, old: str, new: str) -> str:
    """The condition for an update of a row; never NULL on SQLite and PostgreSQL."""
    ways = [same_but(())]
    if rule.erasable:
        ways.append(f"{same_but(rule.erasable)} AND {is_open}")
    if rule.voiding:
        ways.append(f"{same_but(rule.voiding.columns)} AND {rule.voiding.transition.format(old=old, new=new)}")
    return " OR ".join(ways)


_BUILDERS: Final = {"sqlite": _sqlite, "postgresql": _postgresql, "mssql": _azure_sql}
