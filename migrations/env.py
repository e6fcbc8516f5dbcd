"""Runs the migrations on the database that DATABASE_URL names; `--sql` prints them for review instead."""

import os
from contextlib import nullcontext
from typing import Any, Final, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.script import ScriptDirectory
from sqlalchemy import event

from ops.database_requirements import find_problems
from ops.row_level_security.migration import without_policy
from shared.db import row_level_security
from shared.db.engine import make_engine
from shared.db.records import GUARD
from shared.db.records_triggers import protect
from shared.db.schema import metadata
from shared.db.statements import limit_statements


_PROTECTED_SINCE: Final = "a4d7c0e9b316"
URL = os.environ.get("DATABASE_URL") or "sqlite:///.data/timetracker.db"


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 - any schema item
    if kind == "type" and type(item).__module__ == "shared.db.types":
        autogen.imports.add("from shared.db import types")
        return f"types.{type(item).__name__}()"
    return False


def _is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Of SQLite's guard of the records there is no table in the schema."""
    return (kind, name) != ("table", GUARD)


def _configure(**options: Any) -> None:  # noqa: ANN401 - handed to Alembic
    context.configure(
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=_render,
        include_name=_is_compared,
        **options,
    )


def _print() -> None:
    _configure(url=URL, literal_binds=True, transaction_per_migration=True)
    dialect = context.get_context().dialect
    if dialect.name == "mssql":
        # Without a connection the dialect would write for a server of 2005.
        dialect.server_version_info = (16, 0, 0, 0)
        dialect._setup_version_attributes()  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way
    with context.begin_transaction():
        context.run_migrations()


def _is_behind() -> bool:
    """Whether there may be revisions to run: not for `alembic current`, nor in most deployments."""
    wanted = context.get_context().opts.get("destination_rev")
    heads = context.get_context().get_current_heads()
    return bool(wanted) and (wanted != "head" or heads != (context.get_head_revision(),))


def _protect_records(connection: sa.Connection) -> None:
    """Follows every migration, also one that made a table anew, which loses its triggers without a word.

    Not before the revision with which the code learned to open the guard: earlier code would be refused.
    """
    heads = context.get_context().get_current_heads()
    script = ScriptDirectory.from_config(context.config)
    if any(each.revision == _PROTECTED_SINCE for head in heads for each in script.walk_revisions("base", head)):
        protect(connection)


def _migrate() -> None:
    engine = make_engine(URL, pool_size=1)
    if engine.dialect.name == "sqlite":
        # SQLite changes a table by making it anew: rows that point at it must not stop that, nor be deleted by it.
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=OFF"))
    with engine.connect() as connection:
        unmet = {name: text for name, text in find_problems(connection).items() if text}
        if unmet:
            raise RuntimeError("; ".join(f"{name}: {text}" for name, text in unmet.items()))
        limit_statements(connection, 0)  # an index over a large table takes its time; locks are waited for as ever
        row_level_security.set_tenant(connection, row_level_security.ALL_TENANTS)
        _configure(connection=connection)
        with context.begin_transaction(), without_policy(connection) if _is_behind() else nullcontext():
            context.run_migrations()
            if context.get_context().opts.get("destination_rev"):
                _protect_records(connection)
        if engine.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError("the migration would leave rows that point at nothing")
        connection.commit()
    engine.dispose()


if context.is_offline_mode():
    _print()
else:
    _migrate()
