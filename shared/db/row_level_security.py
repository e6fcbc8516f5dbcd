"""Row-level security: sets the tenant of each transaction, so that the database shows only that tenant's rows.

Before a tenant is set, only `tenants` and `users` are visible, for the look-up of a token's owner. Nothing is sent to a
database without the policies of `ops rls`, nor to SQLite, which has no row-level security.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event


ALL_TENANTS: Final = 0  # for statements across tenants; no row has this id
POLICY: Final = "tenant_wall"
PREDICATE: Final = "inside_tenant_wall"
CONTEXT: Final = "timetracker.tenant_id"  # a setting of PostgreSQL, which needs a dot in its name
KEY: Final = "tenant_id"  # of Azure SQL's session context
_HAS_POLICIES: Final = {
    "postgresql": f"SELECT count(*) FROM pg_policy WHERE polname = '{POLICY}'",  # noqa: S608 - our own name
    # A policy is visible only to roles that may change it; its predicate to all
    "mssql": f"SELECT CASE WHEN OBJECT_ID(N'dbo.{PREDICATE}') IS NULL THEN 0 ELSE 1 END",
}
_SET: Final = {
    "postgresql": f"SELECT set_config('{CONTEXT}', %s, true)",  # for this transaction
    "mssql": f"EXEC sys.sp_set_session_context N'{KEY}', ?",  # for the connection; cleared by `_clear_on_reset`
}
_CLEAR: Final = f"EXEC sys.sp_set_session_context N'{KEY}', NULL"
_ENABLED, _TENANT = "rls_enabled", "rls_tenant"  # in a connection's info


def set_tenant(tx: sa.Connection, tenant_id: int) -> None:
    """Limits the transaction to this tenant from here on. Costs a statement if the database has policies."""
    info = tx.info
    if not info.get(_ENABLED) or info[_TENANT] == tenant_id:
        return
    value = str(tenant_id) if tx.dialect.name == "postgresql" else tenant_id
    tx.exec_driver_sql(_SET[tx.dialect.name], (value,))
    info[_TENANT] = tenant_id


def track_tenant(engine: sa.Engine) -> None:
    """Looks for policies on every new connection, and clears the tenant of a connection that returns to the pool."""
    query = _HAS_POLICIES[engine.dialect.name]

    @event.listens_for(engine, "connect")
    def _look_for_policies(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's and the pool's own
        connection.autocommit = True
        cursor = connection.cursor()
        record.info[_ENABLED] = int(cursor.execute(query).fetchone()[0]) > 0
        record.info[_TENANT] = None
        cursor.close()
        connection.autocommit = False

    if engine.dialect.name == "mssql":  # where the tenant belongs to the connection
        event.listen(engine.pool, "reset", _clear_on_reset)


def clear_tenant(info: dict[str, Any]) -> None:
    """Notes that the server has cleared the tenant: PostgreSQL does so after a transaction or an undone savepoint.

    `info` is the connection's.
    """
    info[_TENANT] = None


def _clear_on_reset(connection: Any, record: Any, state: Any) -> None:  # noqa: ANN401 - as above
    """Called when a connection returns to the pool, which closes it after an error."""
    if state.terminate_only or record.info.get(_TENANT) is None:
        return
    if not state.transaction_was_reset:
        connection.rollback()
    connection.autocommit = True
    connection.execute(_CLEAR).close()
    connection.autocommit = False
    record.info[_TENANT] = None
