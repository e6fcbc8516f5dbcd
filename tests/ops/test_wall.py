"""The second wall between tenants, as operators build it, put it up and take it away."""

import functools

import pytest
import sqlalchemy as sa

from ops.row_level_security import statements as wall_statements
from shared.db.engine import make_engine
from shared.db.row_level_security import set_tenant
from shared.db.schema import tenants, users
from tests.support import row_level_security
from tests.support.commands import Ops
from tests.support.databases import migrate
from tests.support.payers import Payer


BEHIND = set(wall_statements.walled())


@pytest.fixture(scope="module")
def own_database(make_database):
    """A database of its own, with two tenants and no wall."""
    url = make_database("postgresql", "wall")
    engine = make_engine(url)
    for _ in range(2):
        Payer.make(engine)
    engine.dispose()
    return url


@pytest.fixture
def wall(own_database):
    wall = functools.partial(Ops(own_database), "wall")
    yield wall
    wall("remove")


@pytest.fixture
def seen(own_database):
    """How many tenants a new process of the app's sees the people of, once it has named one, or none."""
    url = row_level_security.app_role(own_database)

    def look(*, inside):
        engine = make_engine(url)
        with engine.connect() as connection:
            if inside:
                set_tenant(connection, connection.scalar(sa.select(sa.func.min(tenants.c.id))))
            found = connection.scalar(sa.select(sa.func.count(users.c.tenant_id.distinct())))
        engine.dispose()
        return found

    return look


def state(wall):
    return set(wall("show", "--json").json["tables"].values())


def test_there_is_none_until_it_is_built_and_it_is_down_until_it_is_put_up(wall, seen):
    before = state(wall)
    built = wall("build")
    down, outside = state(wall), seen(inside=True)
    wall("up")

    assert (before, down, state(wall)) == ({None}, {False}, {True})
    assert built.out.startswith("It is down.")
    assert (outside, seen(inside=True)) == (2, 1)


def test_what_was_put_up_is_put_down_and_removed(wall, seen):
    for word in ("build", "up", "down"):
        assert wall(word).code == 0
    down = state(wall)
    wall("remove")

    assert (down, state(wall)) == ({False}, {None})
    assert seen(inside=True) == 2


def test_a_new_table_keeps_it_down_until_it_is_built_anew(wall, own_database):
    wall("build")
    engine = sa.create_engine(own_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP POLICY tenant_wall ON nominees")
    engine.dispose()
    refused = wall("up")
    wall("build", "--anew")

    assert (refused.code, "nominees would stay outside" in refused.told) == (1, True)
    assert wall("up").code == 0


def test_what_is_built_anew_stays_up(wall):
    wall("build")
    wall("up")
    built = wall("build", "--anew")

    assert (built.out, state(wall)) == ("It is up.\n", {True})


def test_a_deployment_builds_none_where_there_is_none(wall):
    assert wall("build", "--anew").code == 0
    assert state(wall) == {None}


def test_a_migration_goes_through_the_wall(wall, own_database):
    wall("build")
    wall("up")
    migrate(own_database)

    assert state(wall) == {True}


def test_sqlite_has_no_wall(tmp_path):
    (tmp_path / "some.db").touch()
    refused = Ops(f"sqlite:///{tmp_path}/some.db")("wall", "build")

    assert (refused.code, "no row-level security" in refused.told) == (2, True)
