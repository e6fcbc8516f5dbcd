"""The statements of row-level security for each engine: only rows of the session's tenant are visible."""

from collections.abc import Iterable, Iterator
from typing import Final

from shared.db.row_level_security import ALL_TENANTS, CONTEXT, KEY, POLICY, PREDICATE
from shared.db.schema import metadata


DIRECTORY: Final = ("tenants", "users")  # the caller of a token is looked up in them, before a tenant is set
DROP_POLICY: Final = f"DROP SECURITY POLICY IF EXISTS dbo.{POLICY}"
_NO_TENANT: Final = -1
_DIRECTORY_PREDICATE: Final = f"{PREDICATE}_or_none"


def tenant_columns() -> dict[str, str]:
    """The tables with a policy, and the column of each with the tenant's id."""
    of_tenants = {name: "tenant_id" for name, table in sorted(metadata.tables.items()) if "tenant_id" in table.columns}
    return {"tenants": "id", **of_tenants}


def create(engine: str) -> list[str]:
    """Creates the policies, disabled; there must be none."""
    return list({"postgresql": _postgresql, "mssql": _azure_sql}[engine]())


def drop(engine: str) -> list[str]:
    """Drops the policies that exist, enabled or not."""
    if engine == "mssql":
        predicates = (f"DROP FUNCTION IF EXISTS dbo.{name}" for name in (PREDICATE, _DIRECTORY_PREDICATE))
        return [DROP_POLICY, *predicates]
    return [
        *set_state(engine, is_enabled=False),
        *(f"DROP POLICY IF EXISTS {POLICY} ON {table}" for table in tenant_columns()),
    ]


def set_state(engine: str, *, is_enabled: bool) -> list[str]:
    """Enables or disables row-level security."""
    if engine == "mssql":
        return [f"ALTER SECURITY POLICY dbo.{POLICY} WITH (STATE = {'ON' if is_enabled else 'OFF'})"]
    actions = ("ENABLE", "FORCE") if is_enabled else ("DISABLE", "NO FORCE")  # forced: also for the tables' owner
    return [f"ALTER TABLE {table} {action} ROW LEVEL SECURITY" for table in tenant_columns() for action in actions]


def status(engine: str) -> str:
    """Selects each table with a policy, and whether row-level security is enabled on it."""
    if engine == "mssql":
        return f"""SELECT OBJECT_NAME(predicates.target_object_id), policies.is_enabled
            FROM sys.security_predicates AS predicates
            JOIN sys.security_policies AS policies ON policies.object_id = predicates.object_id
            WHERE policies.name = '{POLICY}' AND predicates.predicate_type = 0"""  # noqa: S608 - our own name
    return f"""SELECT tables.relname, tables.relrowsecurity AND tables.relforcerowsecurity
        FROM pg_policy AS policies JOIN pg_class AS tables ON tables.oid = policies.polrelid
        WHERE policies.polname = '{POLICY}'"""  # noqa: S608 - likewise


def _postgresql() -> Iterator[str]:
    for table, column in tenant_columns().items():
        readable = _condition(column, ALL_TENANTS if table in DIRECTORY else _NO_TENANT)
        writable = readable if table == "tenants" else _condition(column, _NO_TENANT)
        yield f"CREATE POLICY {POLICY} ON {table} USING ({readable}) WITH CHECK ({writable})"


def _condition(column: str, otherwise: int) -> str:
    """A condition computed once per statement; after a transaction PostgreSQL leaves an empty setting behind."""
    named = f"nullif(current_setting('{CONTEXT}', true), '')::bigint"
    return f"(SELECT coalesce({named}, {otherwise})) IN ({column}, {ALL_TENANTS})"


def _azure_sql() -> Iterator[str]:
    yield _function(PREDICATE, _NO_TENANT)
    yield _function(_DIRECTORY_PREDICATE, ALL_TENANTS)
    # The app can see that the policies exist; the function returns no data
    yield f"GRANT SELECT ON dbo.{PREDICATE} TO public"
    yield policy(tenant_columns(), is_enabled=False)


def policy(tables: Iterable[str], *, is_enabled: bool) -> str:
    """Creates Azure SQL's policy over some of the tables; its functions must exist."""
    columns = tenant_columns()
    parts = [part for table in tables for part in _predicates(table, columns[table])]
    return f"CREATE SECURITY POLICY dbo.{POLICY} {', '.join(parts)} WITH (STATE = {'ON' if is_enabled else 'OFF'})"


def _function(name: str, otherwise: int) -> str:
    named = f"COALESCE(CAST(SESSION_CONTEXT(N'{KEY}') AS bigint), {otherwise})"
    return (
        f"CREATE FUNCTION dbo.{name} (@tenant_id bigint) RETURNS TABLE WITH SCHEMABINDING AS "
        f"RETURN SELECT 1 AS is_inside WHERE {named} = @tenant_id OR {named} = {ALL_TENANTS}"
    )


def _predicates(table: str, column: str) -> Iterator[str]:
    read = _DIRECTORY_PREDICATE if table in DIRECTORY else PREDICATE
    written = _DIRECTORY_PREDICATE if table == "tenants" else PREDICATE
    yield f"ADD FILTER PREDICATE dbo.{read}({column}) ON dbo.{table}"
    for moment in ("INSERT", "UPDATE"):
        yield f"ADD BLOCK PREDICATE dbo.{written}({column}) ON dbo.{table} AFTER {moment}"
