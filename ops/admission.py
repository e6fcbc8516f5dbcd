"""The command `admit`: lets the app's managed identity read and write rows in Azure SQL, and nothing more."""

import re
import uuid
from typing import Annotated

import typer

from ops.database import reached
from ops.ending import Unusable


_ROLES = ("db_datareader", "db_datawriter")


def command(
    name: Annotated[str, typer.Argument(help="name of the managed identity")],
    client_id: Annotated[uuid.UUID, typer.Argument(help="its client id")],
) -> None:
    """Let a managed identity into the Azure SQL database that DATABASE_URL names; twice is the same as once."""
    if not re.fullmatch(r"[A-Za-z0-9-]{3,128}", name):
        raise Unusable("the name of an identity has letters, digits and hyphens")
    with reached() as engine:
        if engine.dialect.name != "mssql":
            raise Unusable("only Azure SQL has managed identities; DATABASE_URL names another database")
        with engine.begin() as connection:
            for statement in statements(name, client_id):
                connection.exec_driver_sql(statement)
    typer.echo(f"{name} may read and write the rows of {engine.url.database}.")


def statements(name: str, client_id: uuid.UUID) -> list[str]:
    """By the identity's number, so that nobody has to be let into the directory to look its name up."""
    absent = f"IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'{name}')"  # noqa: S608 - matched above
    user = f"{absent} CREATE USER [{name}] WITH SID = 0x{client_id.bytes_le.hex().upper()}, TYPE = E"
    return [user, *(f"ALTER ROLE {role} ADD MEMBER [{name}]" for role in _ROLES)]
