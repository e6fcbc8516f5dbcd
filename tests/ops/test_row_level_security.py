"""Row-level security, as operators create, enable, disable and drop it."""

import functools

import pytest
import sqlalchemy as sa

from shared.db.engine import make_engine
from shared.db.row_level_security import set_tenant
from shared.db.schema import tenants, users
from tests.support import row_level_security
from tests.support.commands import Ops
from tests.support.databases import migrate
from tests.support.paying_tenants import PayingTenant


@pytest.fixture(scope="module")
def own_database(make_database):
    """A separate database with two tenants and no policies."""
    url = make_database("postgresql", "rls")
    engine = make_engine(url)
    for _ in range(2):
        PayingTenant.create(engine)
    engine.dispose()
    return url


@pytest.fixture
def rls(own_database):
    rls = functools.partial(Ops(own_database), "rls")
    yield rls
    rls("drop")


@pytest.fixture
def visible_tenants(own_database):
    """Counts the tenants with visible users in a new process of the app, with or without a tenant set."""
    url = row_level_security.app_role(own_database)

    def count(*, with_tenant):
        engine = make_engine(url)
        with engine.connect() as connection:
            if with_tenant:
                set_tenant(connection, connection.scalar(sa.select(sa.func.min(tenants.c.id))))
            found = connection.scalar(sa.select(sa.func.count(users.c.tenant_id.distinct())))
        engine.dispose()
        return found

    return count


def states(rls):
    return set(rls("show", "--json").json["tables"].values())


def test_policies_are_created_disabled_and_then_enabled(rls, visible_tenants):
    before = states(rls)
    created = rls("create")
    disabled, visible = states(rls), visible_tenants(with_tenant=True)
    rls("enable")

    assert (before, disabled, states(rls)) == ({None}, {False}, {True})
    assert created.out.startswith("Policies created, disabled.")
    assert (visible, visible_tenants(with_tenant=True)) == (2, 1)


def test_enabled_policies_are_disabled_and_dropped(rls, visible_tenants):
    for command in ("create", "enable", "disable"):
        assert rls(command).code == 0
    disabled = states(rls)
    rls("drop")

    assert (disabled, states(rls)) == ({False}, {None})
    assert visible_tenants(with_tenant=True) == 2


def test_a_new_table_prevents_enabling_until_its_policy_is_created(rls, own_database):
    rls("create")
    engine = sa.create_engine(own_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP POLICY tenant_wall ON nominees")
    engine.dispose()
    rejected = rls("enable")
    rls("create", "--only-existing")

    assert (rejected.code, "nominees would have no policy" in rejected.message) == (1, True)
    assert rls("enable").code == 0


def test_policies_that_are_created_again_stay_enabled(rls):
    rls("create")
    rls("enable")
    created = rls("create", "--only-existing")

    assert (created.out, states(rls)) == ("Policies created and enabled.\n", {True})


def test_a_deployment_creates_no_policies_where_there_are_none(rls):
    assert rls("create", "--only-existing").code == 0
    assert states(rls) == {None}


def test_a_migration_works_with_enabled_policies(rls, own_database):
    rls("create")
    rls("enable")
    migrate(own_database)

    assert states(rls) == {True}


def test_sqlite_has_no_row_level_security(tmp_path):
    (tmp_path / "some.db").touch()
    rejected = Ops(f"sqlite:///{tmp_path}/some.db")("rls", "create")

    assert (rejected.code, "no row-level security" in rejected.message) == (2, True)
