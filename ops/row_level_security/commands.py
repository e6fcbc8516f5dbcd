"""The commands `wall`: row-level security as a second wall between tenants, built, put up, put down and removed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import sqlalchemy as sa
import typer

from ops.database import reached
from ops.exits import Refused, Unusable
from ops.output import AsJson, print_json, print_rows
from ops.row_level_security import statements as wall_statements
from shared.db.statements import limit_statements


app = typer.Typer(help="Row-level security: a second wall between tenants, off until it is put up.")


@app.command()
def show(*, as_json: AsJson = False) -> None:
    """Show which tables are behind the wall, and whether it is up."""
    with _changing() as connection:
        found = _standing(connection)
    tables = {table: found.get(table) for table in wall_statements.walled()}
    if as_json:
        print_json({"tables": tables})
    else:
        rows = ((table, "none" if up is None else "up" if up else "down") for table, up in tables.items())
        print_rows(("TABLE", "WALL"), rows, nothing="")


@app.command()
def build(
    *, anew: Annotated[bool, typer.Option("--anew", help="only where there is one; a deployment does it")] = False
) -> None:
    """Build the wall, or build it anew for tables that are new; it stays up or down as it is."""
    with _changing() as connection:
        engine, found = connection.dialect.name, _standing(connection)
        is_up = any(found.values())
        if anew and not found:
            return
        wanted = [*wall_statements.remove(engine), *wall_statements.build(engine)]
        _run(connection, [*wanted, *(wall_statements.put(engine, up=True) if is_up else [])])
    typer.echo(
        "It is up." if is_up else "It is down. Restart the app, and it will say whose rows it is about; then: up"
    )


@app.command()
def up() -> None:
    """Put the wall up; processes that were started before it was built would see nothing."""
    with _changing() as connection:
        missing = wall_statements.walled().keys() - _standing(connection).keys()
        if missing:
            raise Refused(f"{', '.join(sorted(missing))} would stay outside; build the wall first: wall build")
        _run(connection, wall_statements.put(connection.dialect.name, up=True))
    typer.echo("The wall is up.")


@app.command()
def down() -> None:
    """Put the wall down, as it was before; nothing is lost."""
    with _changing() as connection:
        if _standing(connection):
            _run(connection, wall_statements.put(connection.dialect.name, up=False))
    typer.echo("The wall is down.")


@app.command()
def remove() -> None:
    """Take the wall away, as before a migration that changes a column which says whose a row is."""
    with _changing() as connection:
        _run(connection, wall_statements.remove(connection.dialect.name))
    typer.echo("There is no wall.")


@contextmanager
def _changing() -> Iterator[sa.Connection]:
    """One transaction, all or nothing; whoever runs it owns the tables.

    Raises:
        Unusable: the database has no row-level security, or fails.
    """
    with reached() as engine:
        if engine.dialect.name == "sqlite":
            raise Unusable("SQLite has no row-level security; DATABASE_URL must name Azure SQL or PostgreSQL")
        try:
            with engine.begin() as connection:
                limit_statements(connection, 0)
                yield connection
        except sa.exc.DBAPIError as error:
            raise Unusable(f"the database failed: {str(error.orig).strip().splitlines()[0]}") from error


def _standing(connection: sa.Connection) -> dict[str, bool]:
    rows = connection.exec_driver_sql(wall_statements.standing(connection.dialect.name))
    return {table: bool(is_up) for table, is_up in rows}


def _run(connection: sa.Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
