"""The command `admit`: lets the app into the database to read and write rows, and to change no fact on record."""

import re
import uuid
from collections.abc import Iterator
from typing import Annotated, Final

import sqlalchemy as sa
import typer

from ops.database import reached
from ops.exits import Unusable
from shared.db.records import RULES
from shared.db.schema import metadata


_ROLES = ("db_datareader", "db_datawriter")
_NAMES: Final = {
    "mssql": (r"[A-Za-z0-9-]{3,128}", "3 to 128 letters, digits and hyphens"),
    "postgresql": (r"[A-Za-z0-9_-]{3,63}", "3 to 63 letters, digits, hyphens and underscores"),
}
_IS_THERE: Final = sa.text("SELECT pg_has_role(oid, 'pg_write_all_data', 'MEMBER') FROM pg_roles WHERE rolname = :name")


def command(
    name: Annotated[str, typer.Argument(help="name of the managed identity, or of the role on PostgreSQL")],
    client_id: Annotated[uuid.UUID | None, typer.Argument(help="the managed identity's client id")] = None,
) -> None:
    """Let the app into the database that DATABASE_URL names; twice is the same as once. Run it after migrations."""
    with reached() as engine:
        kind = engine.dialect.name
        if kind == "sqlite":
            raise Unusable("SQLite has no roles; DATABASE_URL must name Azure SQL or PostgreSQL")
        pattern, letters = _NAMES[kind]
        if not re.fullmatch(pattern, name):
            raise Unusable(f"expected a name of {letters}")
        if kind == "mssql" and client_id is None:
            raise Unusable("on Azure SQL, give the identity's client id after its name")
        if kind != "mssql" and client_id is not None:
            raise Unusable("on PostgreSQL, give the role's name alone: a client id is of Azure SQL")
        with engine.begin() as connection:
            wanted = postgresql(connection, name) if client_id is None else azure_sql(name, client_id)
            for statement in wanted:
                connection.exec_driver_sql(statement)
    typer.echo(f"{name} may read and write the rows of {engine.url.database}, but not change facts on record.")


def azure_sql(name: str, client_id: uuid.UUID) -> list[str]:
    """By the identity's number, so that nobody has to be let into the directory to look its name up."""
    absent = f"IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'{name}')"  # noqa: S608 - matched above
    user = f"{absent} CREATE USER [{name}] WITH SID = 0x{client_id.bytes_le.hex().upper()}, TYPE = E"
    return [user, *(f"ALTER ROLE {role} ADD MEMBER [{name}]" for role in _ROLES), *denials(name)]


def denials(user: str) -> Iterator[str]:
    """What a user of Azure SQL may not do to records, whatever its roles let it do."""
    for table, rule in RULES.items():
        hard = ", ".join(column.name for column in metadata.tables[table].columns if column.name not in rule.soft)
        if rule.soft:  # in case it was hard before
            yield f"REVOKE UPDATE ON dbo.{table} ({', '.join(rule.soft)}) FROM [{user}]"
        yield f"DENY UPDATE ON dbo.{table} ({hard}) TO [{user}]"
        yield f"{'REVOKE' if rule.deletable else 'DENY'} DELETE ON dbo.{table} TO [{user}]"


def postgresql(connection: sa.Connection, role: str) -> Iterator[str]:
    """The role's grants, for tables that are there and that the same owner makes later.

    Raises:
        Unusable: there is no such role.
    """
    found = connection.execute(_IS_THERE, {"name": role}).first()
    if found is None:
        raise Unusable(f"there is no role {role}; make it first: CREATE ROLE {role} LOGIN")
    schema, to = connection.exec_driver_sql("SELECT current_schema()").scalar_one(), f'"{role}"'
    if found[0]:
        yield f"REVOKE pg_write_all_data FROM {to}"  # it writes every column of every table
    writes = "SELECT, INSERT, UPDATE, DELETE"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {to}"
    yield f"GRANT {writes} ON ALL TABLES IN SCHEMA {schema} TO {to}"
    yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {writes} ON TABLES TO {to}"
    yield f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {to}"
    for table, rule in RULES.items():
        yield f"REVOKE UPDATE, DELETE ON {table} FROM {to}"
        if rule.soft:
            yield f"GRANT UPDATE ({', '.join(rule.soft)}) ON {table} TO {to}"
        if rule.deletable:
            yield f"GRANT DELETE ON {table} TO {to}"
