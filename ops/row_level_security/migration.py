"""Row-level security on Azure SQL while a migration runs: SQL Server drops no table that a policy names."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ops.row_level_security import statements as wall_statements


@contextmanager
def without_policy(connection: sa.Connection) -> Iterator[None]:
    """Drops the policy and makes it anew, on or off as it was, over the tables that are there afterwards.

    Without that a migration that drops one of its tables fails (3729). All of it is the caller's transaction: one
    that fails leaves the policy as it was. The functions stay, so that a new connection sees that there is a policy.
    """
    if connection.dialect.name != "mssql":
        yield
        return
    found = [bool(is_up) for _, is_up in connection.exec_driver_sql(wall_statements.standing("mssql"))]
    if not found:
        yield
        return
    connection.exec_driver_sql(wall_statements.DROP_POLICY)
    yield
    there = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sys.tables")}
    tables = [table for table in wall_statements.walled() if table in there]
    connection.exec_driver_sql(wall_statements.policy(tables, up=any(found)))
