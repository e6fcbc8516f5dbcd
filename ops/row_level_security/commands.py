"""The commands `rls …`: show, create, enable, disable and drop the policies of row-level security."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import sqlalchemy as sa
import typer

from ops.database import first_line, open_engine
from ops.errors import CommandRejected, ServiceUnavailable, WrongUsage
from ops.output import AsJson, print_json, print_rows
from ops.row_level_security import statements as rls_statements
from shared.db.statements import limit_statements


app = typer.Typer(
    help="Row-level security, off by default.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def show(*, as_json: AsJson = False) -> None:
    """Show row-level security by table."""
    with _transaction() as connection:
        enabled = _read_status(connection)
    tables = {table: enabled.get(table) for table in rls_statements.tenant_columns()}
    if as_json:
        print_json({"tables": tables})
    else:
        states = {None: "no policy", True: "enabled", False: "disabled"}
        print_rows(("TABLE", "ROW-LEVEL SECURITY"), ((name, states[is_on]) for name, is_on in tables.items()), empty="")


@app.command()
def create(
    *,
    only_existing: Annotated[
        bool, typer.Option("--only-existing", help="only if policies exist; part of each deployment")
    ] = False,
) -> None:
    """Create the policies, or create them again for new tables.

    They stay enabled or disabled as before; new policies are disabled.
    """
    with _transaction() as connection:
        engine, enabled = connection.dialect.name, _read_status(connection)
        is_enabled = any(enabled.values())
        if only_existing and not enabled:
            return
        _execute(connection, [*rls_statements.drop(engine), *rls_statements.create(engine)])
        if is_enabled:
            _execute(connection, rls_statements.set_state(engine, is_enabled=True))
    typer.echo(
        "Policies created and enabled."
        if is_enabled
        else "Policies created, disabled. Restart the app, so that it sets the tenant; then: ops rls enable"
    )


@app.command()
def enable() -> None:
    """Enable row-level security.

    Processes that started before the policies were created see no rows; restart them first.
    """
    with _transaction() as connection:
        missing = rls_statements.tenant_columns().keys() - _read_status(connection).keys()
        if missing:
            raise CommandRejected(f"{', '.join(sorted(missing))} would have no policy; run first: ops rls create")
        _execute(connection, rls_statements.set_state(connection.dialect.name, is_enabled=True))
    typer.echo("Row-level security is enabled.")


@app.command()
def disable() -> None:
    """Disable row-level security; the policies stay."""
    with _transaction() as connection:
        if _read_status(connection):
            _execute(connection, rls_statements.set_state(connection.dialect.name, is_enabled=False))
    typer.echo("Row-level security is disabled.")


@app.command()
def drop() -> None:
    """Drop the policies.

    On PostgreSQL, do this before a migration that changes a tenant_id column.
    """
    with _transaction() as connection:
        _execute(connection, rls_statements.drop(connection.dialect.name))
    typer.echo("Policies dropped.")


@contextmanager
def _transaction() -> Iterator[sa.Connection]:
    """One transaction, as the owner of the tables.

    Raises:
        WrongUsage: the database has no row-level security.
        ServiceUnavailable: the database failed.
    """
    with open_engine() as engine:
        if engine.dialect.name == "sqlite":
            raise WrongUsage("SQLite has no row-level security; DATABASE_URL must name Azure SQL or PostgreSQL")
        try:
            with engine.begin() as connection:
                limit_statements(connection, 0)
                yield connection
        except sa.exc.DBAPIError as error:
            raise ServiceUnavailable(f"the database failed: {first_line(error)}") from error


def _read_status(connection: sa.Connection) -> dict[str, bool]:
    """Whether row-level security is enabled, by table with a policy."""
    rows = connection.exec_driver_sql(rls_statements.status(connection.dialect.name))
    return {table: bool(is_enabled) for table, is_enabled in rows}


def _execute(connection: sa.Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
