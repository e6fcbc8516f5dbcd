"""Row-level security on Azure SQL during a migration: SQL Server does not drop tables with a policy."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ops.row_level_security import statements as rls_statements


@contextmanager
def without_policy(connection: sa.Connection) -> Iterator[None]:
    """Drops the policy and creates it again afterwards, enabled or disabled as before, over the tables of then.

    Without that, a migration that drops one of its tables fails (3729). All of it is one transaction of the caller:
    a failure leaves the policy unchanged. The functions stay, so that new connections know of the policy.
    """
    if connection.dialect.name != "mssql":
        yield
        return
    enabled = [bool(is_enabled) for _, is_enabled in connection.exec_driver_sql(rls_statements.status("mssql"))]
    if not enabled:
        yield
        return
    connection.exec_driver_sql(rls_statements.DROP_POLICY)
    yield
    existing = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sys.tables")}
    tables = [table for table in rls_statements.tenant_columns() if table in existing]
    connection.exec_driver_sql(rls_statements.policy(tables, is_enabled=any(enabled)))
