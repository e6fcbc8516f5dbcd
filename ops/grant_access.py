"""The command `grant-access`: lets the app read and write rows, but not change append-only records."""

import re
import uuid
from collections.abc import Iterator
from typing import Annotated, Final

import sqlalchemy as sa
import typer

from ops.database import open_engine
from ops.errors import ItemNotFound, WrongUsage
from shared.db.records import RULES
from shared.db.schema import metadata


_ROLES = ("db_datareader", "db_datawriter")
_NAMES: Final = {
    "mssql": (r"[A-Za-z0-9-]{3,128}", "3 to 128 letters, digits and hyphens"),
    "postgresql": (r"[A-Za-z0-9_-]{3,63}", "3 to 63 letters, digits, hyphens and underscores"),
}
_ROLE: Final = sa.text("SELECT pg_has_role(oid, 'pg_write_all_data', 'MEMBER') FROM pg_roles WHERE rolname = :name")


def command(
    name: Annotated[str, typer.Argument(help="name of the managed identity; on PostgreSQL, of the role")],
    client_id: Annotated[str | None, typer.Argument(help="client id of the managed identity")] = None,
) -> None:
    """Grant the app access to the database.

    It works on the database that DATABASE_URL names. Idempotent; run it after each migration.
    """
    identity = None if client_id is None else _parse_client_id(client_id)
    with open_engine() as engine:
        kind = engine.dialect.name
        if kind == "sqlite":
            raise WrongUsage("SQLite has no roles; DATABASE_URL must name Azure SQL or PostgreSQL")
        pattern, letters = _NAMES[kind]
        if not re.fullmatch(pattern, name):
            raise WrongUsage(f"expected a name of {letters}")
        if kind == "mssql" and client_id is None:
            raise WrongUsage("on Azure SQL, add the client id of the identity after its name")
        if kind != "mssql" and client_id is not None:
            raise WrongUsage("on PostgreSQL, give the role's name alone; only Azure SQL has client ids")
        with engine.begin() as connection:
            statements = postgresql(connection, name) if identity is None else azure_sql(name, identity)
            for statement in statements:
                connection.exec_driver_sql(statement)
    typer.echo(f"{name} can read and write the rows of {engine.url.database}, but not change facts on record.")


def _parse_client_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise WrongUsage(f"{text!a} is not a client id: expected a GUID") from None


def azure_sql(name: str, client_id: uuid.UUID) -> list[str]:
    """The user is created by the identity's client id, so no access to the directory is needed."""
    absent = f"IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'{name}')"  # noqa: S608 - matched above
    user = f"{absent} CREATE USER [{name}] WITH SID = 0x{client_id.bytes_le.hex().upper()}, TYPE = E"
    return [user, *(f"ALTER ROLE {role} ADD MEMBER [{name}]" for role in _ROLES), *denials(name)]


def denials(user: str) -> Iterator[str]:
    """The denials on append-only records for a user of Azure SQL; they override its roles."""
    for table, rule in RULES.items():
        hard = ", ".join(column.name for column in metadata.tables[table].columns if column.name not in rule.soft)
        if rule.soft:  # it may have been denied before
            yield f"REVOKE UPDATE ON dbo.{table} ({', '.join(rule.soft)}) FROM [{user}]"
        yield f"DENY UPDATE ON dbo.{table} ({hard}) TO [{user}]"
        yield f"{'REVOKE' if rule.deletable else 'DENY'} DELETE ON dbo.{table} TO [{user}]"


def postgresql(connection: sa.Connection, role: str) -> Iterator[str]:
    """The role's grants, for present tables and for later ones of the same owner.

    Raises:
        ItemNotFound: there is no such role.
    """
    found = connection.execute(_ROLE, {"name": role}).first()
    if found is None:
        raise ItemNotFound(f"there is no role {role}; create it first: CREATE ROLE {role} LOGIN")
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
