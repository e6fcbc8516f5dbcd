"""The second wall between tenants: row-level security, told with each transaction whose rows it is about.

Where `python -m ops wall` has built it, a query that forgets its tenant finds nothing. Before a transaction has named a
tenant only the directory is there (`tenants` and `users`, where a token's owner is looked up); from then on, that
tenant's rows. Elsewhere nothing is sent. SQLite has no such thing.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event


ALL_TENANTS: Final = 0  # the named way round, for what goes across tenants by design; no row has this id
POLICY: Final = "tenant_wall"
PREDICATE: Final = "inside_tenant_wall"
CONTEXT: Final = "timetracker.tenant_id"  # PostgreSQL's name of it must have a dot
KEY: Final = "tenant_id"  # Azure SQL's name
_IS_BUILT: Final = {
    "postgresql": f"SELECT count(*) FROM pg_policy WHERE polname = '{POLICY}'",  # noqa: S608 - our own name
    # Of a policy only those hear who may change it; its predicate may be seen by all
    "mssql": f"SELECT CASE WHEN OBJECT_ID(N'dbo.{PREDICATE}') IS NULL THEN 0 ELSE 1 END",
}
_ENTER: Final = {
    "postgresql": f"SELECT set_config('{CONTEXT}', %s, true)",  # for this transaction
    "mssql": f"EXEC sys.sp_set_session_context N'{KEY}', ?",  # for the connection, so `_leave` takes it back
}
_LEAVE: Final = f"EXEC sys.sp_set_session_context N'{KEY}', NULL"
_BUILT, _INSIDE = "wall_is_built", "wall_inside"


def set_tenant(tx: sa.Connection, tenant_id: int) -> None:
    """From here on the transaction is about this tenant and no other. It costs a statement where the wall is built."""
    known = tx.info
    if not known.get(_BUILT) or known[_INSIDE] == tenant_id:
        return
    value = str(tenant_id) if tx.dialect.name == "postgresql" else tenant_id
    tx.exec_driver_sql(_ENTER[tx.dialect.name], (value,))
    known[_INSIDE] = tenant_id


def watch(engine: sa.Engine) -> None:
    """Has every new connection find out whether the wall is built, and none carry a tenant to its next user."""
    ask = _IS_BUILT[engine.dialect.name]

    @event.listens_for(engine, "connect")
    def _look(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's and the pool's own
        connection.autocommit = True
        cursor = connection.cursor()
        record.info[_BUILT] = int(cursor.execute(ask).fetchone()[0]) > 0
        record.info[_INSIDE] = None
        cursor.close()
        connection.autocommit = False

    if engine.dialect.name == "mssql":  # what is set there is the connection's
        event.listen(engine.pool, "reset", _leave)


def forget(known: dict[str, Any]) -> None:
    """For where the server has forgotten by itself: PostgreSQL, what was set in a transaction or since a savepoint.

    `known` is the connection's info.
    """
    known[_INSIDE] = None


def _leave(connection: Any, record: Any, state: Any) -> None:  # noqa: ANN401 - as above
    """On its way back to the pool; a connection that cannot be told is closed by the pool."""
    if state.terminate_only or record.info.get(_INSIDE) is None:
        return
    if not state.transaction_was_reset:
        connection.rollback()
    connection.autocommit = True
    connection.execute(_LEAVE).close()
    connection.autocommit = False
    record.info[_INSIDE] = None
