"""What row-level security is made of, for each engine: every table of a tenant's, closed but for the tenant at hand."""

from collections.abc import Iterable, Iterator
from typing import Final

from shared.db.row_level_security import ALL_TENANTS, CONTEXT, KEY, POLICY, PREDICATE
from shared.db.schema import metadata


DIRECTORY: Final = ("tenants", "users")  # where the owner of a token is looked up before a tenant is known
DROP_POLICY: Final = f"DROP SECURITY POLICY IF EXISTS dbo.{POLICY}"
_NOBODY: Final = -1
_DIRECTORY_PREDICATE: Final = f"{PREDICATE}_or_none"


def walled() -> dict[str, str]:
    """The tables behind the wall, and the column of each that says whose a row is."""
    of_tenants = {name: "tenant_id" for name, table in sorted(metadata.tables.items()) if "tenant_id" in table.columns}
    return {"tenants": "id", **of_tenants}


def build(engine: str) -> list[str]:
    """Makes the wall, which is down; there must be none."""
    return list({"postgresql": _postgresql, "mssql": _azure_sql}[engine]())


def remove(engine: str) -> list[str]:
    """Takes the wall away, up or down, however much of it is there."""
    if engine == "mssql":
        predicates = (f"DROP FUNCTION IF EXISTS dbo.{name}" for name in (PREDICATE, _DIRECTORY_PREDICATE))
        return [DROP_POLICY, *predicates]
    return [*put(engine, up=False), *(f"DROP POLICY IF EXISTS {POLICY} ON {table}" for table in walled())]


def put(engine: str, *, up: bool) -> list[str]:
    """Puts the wall up or down."""
    if engine == "mssql":
        return [f"ALTER SECURITY POLICY dbo.{POLICY} WITH (STATE = {'ON' if up else 'OFF'})"]
    words = ("ENABLE", "FORCE") if up else ("DISABLE", "NO FORCE")  # forced, since it holds for the owner, too
    return [f"ALTER TABLE {table} {word} ROW LEVEL SECURITY" for table in walled() for word in words]


def standing(engine: str) -> str:
    """Asks for each walled table, and whether its wall is up."""
    if engine == "mssql":
        return f"""SELECT OBJECT_NAME(made.target_object_id), whole.is_enabled
            FROM sys.security_predicates AS made
            JOIN sys.security_policies AS whole ON whole.object_id = made.object_id
            WHERE whole.name = '{POLICY}' AND made.predicate_type = 0"""  # noqa: S608 - our own name
    return f"""SELECT of_it.relname, of_it.relrowsecurity AND of_it.relforcerowsecurity
        FROM pg_policy AS made JOIN pg_class AS of_it ON of_it.oid = made.polrelid
        WHERE made.polname = '{POLICY}'"""  # noqa: S608 - likewise


def _postgresql() -> Iterator[str]:
    for table, column in walled().items():
        seen = _inside(column, ALL_TENANTS if table in DIRECTORY else _NOBODY)
        written = seen if table == "tenants" else _inside(column, _NOBODY)
        yield f"CREATE POLICY {POLICY} ON {table} USING ({seen}) WITH CHECK ({written})"


def _inside(column: str, otherwise: int) -> str:
    """A condition that is computed once for a statement; after a transaction PostgreSQL leaves an empty text behind."""
    named = f"nullif(current_setting('{CONTEXT}', true), '')::bigint"
    return f"(SELECT coalesce({named}, {otherwise})) IN ({column}, {ALL_TENANTS})"


def _azure_sql() -> Iterator[str]:
    yield _function(PREDICATE, _NOBODY)
    yield _function(_DIRECTORY_PREDICATE, ALL_TENANTS)
    # So that a connection can see that the wall is built; it shows nothing
    yield f"GRANT SELECT ON dbo.{PREDICATE} TO public"
    yield policy(walled(), up=False)


def policy(tables: Iterable[str], *, up: bool) -> str:
    """Makes Azure SQL's policy over some of the walled tables; its functions must be there."""
    columns = walled()
    parts = [part for table in tables for part in _predicates(table, columns[table])]
    return f"CREATE SECURITY POLICY dbo.{POLICY} {', '.join(parts)} WITH (STATE = {'ON' if up else 'OFF'})"


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
