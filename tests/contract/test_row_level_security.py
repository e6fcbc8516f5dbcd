"""Row-level security: the tables with a policy, and the result of a query that forgets its tenant."""

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ops.row_level_security import statements as rls_statements
from shared.db.row_level_security import ALL_TENANTS, set_tenant
from shared.db.schema import metadata, organizations, projects, tenants, time_entries, users
from tests.support.cases import check_all
from tests.support.connection_loss import on_postgresql
from tests.support.world import new_id


# A visit has no tenant before its sign-in; the installation's row belongs to all tenants.
OUTSIDE = {"installation", "landing_visits"}
FORGETFUL = [table for name, table in metadata.tables.items() if name not in OUTSIDE]


@pytest.fixture
def two_tenants(app_engine, world) -> Iterator[tuple[sa.Connection, int, int]]:
    """A transaction of the app on PostgreSQL, and the ids of two tenants with people and entries."""
    found = []
    for _ in range(2):
        admin = world.tenant()
        admin.enter()
        with app_engine.begin() as tx:
            found.append(tx.execute(sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == admin.tid)).scalar_one())
    with app_engine.connect() as connection:
        yield connection, found[0], found[1]
        connection.rollback()


def owners(tx, table):
    column = table.c.id if table is tenants else table.c.tenant_id
    return set(tx.execute(sa.select(column)).scalars())


def test_every_table_of_a_tenant_has_a_policy():
    assert rls_statements.tenant_columns().keys() | OUTSIDE == metadata.tables.keys()


@on_postgresql
def test_a_query_that_forgets_its_tenant_sees_only_the_tenant_of_the_transaction(two_tenants):
    tx, mine, _ = two_tenants
    set_tenant(tx, mine)

    def holds(table: sa.Table) -> None:
        assert owners(tx, table) <= {mine}

    check_all(holds, FORGETFUL, at_least=30)


@on_postgresql
def test_a_query_before_a_tenant_is_set_returns_nothing(two_tenants):
    tx, _, _ = two_tenants

    def holds(table: sa.Table) -> None:
        assert owners(tx, table) == set()

    check_all(holds, (table for table in FORGETFUL if table.name not in rls_statements.DIRECTORY), at_least=30)


@on_postgresql
def test_only_all_tenants_shows_every_tenant(two_tenants):
    tx, mine, other = two_tenants
    set_tenant(tx, ALL_TENANTS)
    everybody = owners(tx, time_entries)
    set_tenant(tx, other)

    assert everybody >= {mine, other}
    assert owners(tx, time_entries) == {other}


@on_postgresql
def test_a_change_that_forgets_its_tenant_changes_no_other_tenant(two_tenants):
    tx, mine, other = two_tenants
    set_tenant(tx, mine)
    tx.execute(time_entries.update().values(note="changed"))
    tx.execute(users.update().values(display_name="changed"))
    set_tenant(tx, other)

    assert set(tx.execute(sa.select(time_entries.c.note)).scalars()) == {None}
    assert "changed" not in set(tx.execute(sa.select(users.c.display_name)).scalars())


@on_postgresql
def test_a_row_of_another_tenant_cannot_be_written(two_tenants):
    tx, mine, other = two_tenants
    of_other = organizations.c.tenant_id == other
    set_tenant(tx, other)
    organization = tx.execute(sa.select(organizations.c.id).where(of_other)).scalar_one()
    set_tenant(tx, mine)
    row = {
        "tenant_id": other,
        "public_id": uuid.UUID(new_id()),
        "organization_id": organization,
        "organization": "contoso",
        "name": "X",
        "name_key": f"contoso/{new_id()}",
    }

    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        tx.execute(projects.insert().values(row))


@on_postgresql
def test_the_next_transaction_of_a_connection_has_no_tenant(two_tenants):
    tx, mine, _ = two_tenants
    set_tenant(tx, mine)
    tx.commit()

    assert owners(tx, time_entries) == set()
    assert len(owners(tx, tenants)) > 1


@on_postgresql
def test_the_tenant_can_be_set_again_after_an_undone_savepoint(two_tenants):
    tx, mine, other = two_tenants
    set_tenant(tx, mine)
    inner = tx.begin_nested()
    set_tenant(tx, other)
    inner.rollback()
    set_tenant(tx, other)

    assert owners(tx, time_entries) == {other}


@on_postgresql
def test_a_request_costs_one_statement_more(app, world):
    ada, sent = world.tenant(), list[str]()
    sa.event.listen(app.engine, "before_cursor_execute", (note := lambda _c, _k, text, *_: sent.append(text)))
    ada.start()
    sa.event.remove(app.engine, "before_cursor_execute", note)

    assert sum("set_config" in text for text in sent) == 1


def test_without_policies_nothing_is_sent(engine):
    with engine.connect() as connection:
        connection.info["rls_enabled"] = False
        set_tenant(connection, 7)

        assert not connection.in_transaction()
