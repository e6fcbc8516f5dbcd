"""The operator behind a connection of the command line: an id of theirs that the audit log keeps, never a name."""

import os
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event


_OPERATOR: Final = "operator"  # in a connection's info
_SIGNED_IN: Final = "SELECT CONVERT(VARCHAR(200), SUSER_SID(), 2)"
_OBJECT_ID: Final = 32  # hexadecimal digits; Entra's identities may have a suffix behind theirs


def watch(engine: sa.Engine) -> None:
    """Has every new connection know its operator: by Entra on Azure SQL, else by the operating system."""

    @event.listens_for(engine, "connect")
    def _look(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's and the pool's own
        record.info[_OPERATOR] = (_signed_in(connection) if engine.dialect.name == "mssql" else None) or _local()


def of(tx: sa.Connection) -> str | None:
    """`entra:` and a directory object id, or `os:` and a user's number; None where no operator is behind it."""
    found: str | None = tx.info.get(_OPERATOR)
    return found


def _signed_in(connection: Any) -> str | None:  # noqa: ANN401 - the driver's own
    """The object id that Entra knows the operator by; a login of the server's own has none."""
    connection.autocommit = True
    cursor = connection.cursor()
    row = cursor.execute(_SIGNED_IN).fetchone()
    cursor.close()
    connection.autocommit = False
    told = "" if row is None else str(row[0])
    return f"entra:{uuid.UUID(bytes_le=bytes.fromhex(told[:_OBJECT_ID]))}" if len(told) >= _OBJECT_ID else None


def _local() -> str | None:
    """Windows has no such number."""
    return f"os:{os.getuid()}" if hasattr(os, "getuid") else None
