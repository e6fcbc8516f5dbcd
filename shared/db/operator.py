"""The operator of a command-line connection: an id for the audit log, never a name."""

import os
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event


_OPERATOR: Final = "operator"  # in a connection's info
_SIGNED_IN: Final = "SELECT CONVERT(VARCHAR(200), SUSER_SID(), 2)"
_OBJECT_ID: Final = 32  # hexadecimal digits; Entra's ids may have a suffix


def track_operator(engine: sa.Engine) -> None:
    """Stores the operator of every new connection: from Entra on Azure SQL, otherwise from the operating system."""

    @event.listens_for(engine, "connect")
    def _store(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's and the pool's own
        record.info[_OPERATOR] = (_signed_in(connection) if engine.dialect.name == "mssql" else None) or _local()


def of(tx: sa.Connection) -> str | None:
    """`entra:` with a directory object id, or `os:` with a user id; None without an operator."""
    operator: str | None = tx.info.get(_OPERATOR)
    return operator


def _signed_in(connection: Any) -> str | None:  # noqa: ANN401 - the driver's own
    """The operator's object id in Entra; a login of the server itself has none."""
    connection.autocommit = True
    cursor = connection.cursor()
    row = cursor.execute(_SIGNED_IN).fetchone()
    cursor.close()
    connection.autocommit = False
    sid = "" if row is None else str(row[0])
    return f"entra:{uuid.UUID(bytes_le=bytes.fromhex(sid[:_OBJECT_ID]))}" if len(sid) >= _OBJECT_ID else None


def _local() -> str | None:
    """Windows has no user id."""
    return f"os:{os.getuid()}" if hasattr(os, "getuid") else None
