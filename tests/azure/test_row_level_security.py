"""The tenant of a connection to Azure SQL: set in a transaction, and cleared on return to the pool."""

from typing import Any

import pytest
import sqlalchemy as sa

from ops.row_level_security import statements as rls_statements
from ops.row_level_security.migration import without_policy
from shared.db.row_level_security import ALL_TENANTS, set_tenant
from tests.azure.conftest import Identity
from tests.azure.test_statements import unreadable
from tests.support.commands import Ops
from tests.support.sql_server import COMMIT, ConnectionLost, Error, Rows, default_script


ASK = sa.text("SELECT 42 AS answer")
CLEARED = "EXEC sys.sp_set_session_context N'tenant_id', NULL"


def with_policies(statement) -> Any:  # noqa: ANN401 - any response
    if "inside_tenant_wall" in statement.sql:
        return Rows(("",), [("1",)])
    if "SELECT 42" in statement.sql:
        return Rows(("answer",), [(42,)])
    return default_script(statement)


def tenant_statements(azure):
    """The statements about tenants and the queries, in order."""
    return [text for text in azure.texts if "tenant_id" in text or "SELECT 42" in text or text == COMMIT]


def ask(engine, *tenants):
    with engine.begin() as tx:
        for tenant in tenants:
            set_tenant(tx, tenant)
        return tx.execute(ASK).scalar()


def test_a_transaction_sets_its_tenant_and_the_pool_clears_it(azure, azure_engine):
    azure.script = with_policies

    assert ask(azure_engine, 7, 7) == 42
    assert tenant_statements(azure) == [
        "EXEC sys.sp_set_session_context N'tenant_id', @P1",
        "SELECT 42 AS answer",
        COMMIT,
        CLEARED,
    ]


def test_a_connection_without_a_tenant_is_not_cleared(azure, azure_engine):
    azure.script = with_policies
    ask(azure_engine)

    assert tenant_statements(azure) == ["SELECT 42 AS answer", COMMIT]


def test_without_policies_no_tenant_is_set(azure, azure_engine):
    azure.script = lambda statement: (
        default_script(statement) if "42" not in statement.sql else with_policies(statement)
    )

    assert ask(azure_engine, 7) == 42
    assert tenant_statements(azure) == ["SELECT 42 AS answer", COMMIT]


@pytest.mark.parametrize("fault", [ConnectionLost, Error(40613)], ids=str)
def test_a_connection_that_cannot_be_cleared_is_closed(azure, azure_engine, fault):
    def script(statement):
        if statement.sql == CLEARED:
            if fault is ConnectionLost:
                raise ConnectionLost
            return fault
        return with_policies(statement)

    azure.script = script
    ask(azure_engine, 7)
    ask(azure_engine)

    assert len(azure.logins) == 2


def test_the_tenant_is_cleared_after_a_failed_transaction(azure, azure_engine):
    azure.script = lambda statement: Error(208) if "SELECT 42" in statement.sql else with_policies(statement)
    with pytest.raises(sa.exc.DBAPIError):
        ask(azure_engine, ALL_TENANTS)

    assert tenant_statements(azure)[-1] == CLEARED


@pytest.mark.parametrize("statement", [*rls_statements.drop("mssql"), *rls_statements.create("mssql")])
def test_the_statements_of_the_policies_are_t_sql(statement):
    assert unreadable(statement) == []


def test_an_operator_creates_the_policies_in_one_transaction_and_enables_them(azure, monkeypatch):
    monkeypatch.setattr("shared.db.azure_sql._identity", Identity)
    ops = Ops(azure.url)
    standing: list[tuple[str, str]] = []
    azure.script = lambda statement: (
        Rows(("name", "is_enabled"), standing)
        if "sys.security_predicates" in statement.sql
        else default_script(statement)
    )
    created = ops("rls", "create")
    made = [text for text in azure.texts if text in rls_statements.create("mssql")]
    rejected = ops("rls", "enable")
    standing += [(table, "") for table in rls_statements.tenant_columns()]
    enabled = ops("rls", "enable")

    assert [each.code for each in (created, rejected, enabled)] == [0, 1, 0]
    assert made == rls_statements.create("mssql")
    assert "would have no policy" in rejected.err
    assert "ALTER SECURITY POLICY dbo.tenant_wall WITH (STATE = ON)" in azure.texts


@pytest.mark.parametrize(("is_up", "state"), [("1", "ON"), ("", "OFF")])
def test_a_migration_runs_without_the_policy_and_makes_it_anew_as_it_was(azure, azure_engine, is_up, state):
    def script(statement) -> Any:  # noqa: ANN401 - any response
        if "sys.security_predicates" in statement.sql:
            return Rows(("name", "is_enabled"), [("write_backs", is_up)])
        if "sys.tables" in statement.sql:
            return Rows(("name",), [("users",), ("alembic_version",)])
        return default_script(statement)

    azure.script = script
    with azure_engine.begin() as connection, without_policy(connection):
        connection.exec_driver_sql("DROP TABLE write_backs")
    changes = [text for text in azure.texts if text.startswith(("DROP", "CREATE", "IF @@TRANCOUNT")) or text == COMMIT]

    assert changes[:2] == ["DROP SECURITY POLICY IF EXISTS dbo.tenant_wall", "DROP TABLE write_backs"]
    assert changes[2] == rls_statements.policy(["users"], is_enabled=bool(is_up))
    assert f"STATE = {state}" in changes[2]
    assert changes[3:] == [COMMIT]
    assert unreadable(changes[2]) == []


def test_a_migration_leaves_a_database_without_a_policy_alone(azure, azure_engine):
    azure.script = lambda statement: (
        Rows(("name", "is_enabled"), []) if "sys.security_predicates" in statement.sql else default_script(statement)
    )
    with azure_engine.begin() as connection, without_policy(connection):
        pass

    assert [text for text in azure.texts if "SECURITY POLICY" in text] == []
