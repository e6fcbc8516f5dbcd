"""The grants of the app on PostgreSQL: its role cannot change facts on record."""

import pytest
import sqlalchemy as sa

from devcloud import postgres
from shared.db.engine import make_engine
from shared.db.records import RULES, open_records
from shared.db.records_triggers import unprotect
from shared.db.schema import metadata
from tests.support import row_level_security
from tests.support.commands import Ops
from tests.support.connection_loss import on_postgresql
from tests.support.paying_tenants import PayingTenant, at


REFUSED = "42501"  # PostgreSQL's insufficient_privilege


@pytest.fixture(scope="module")
def own_database(make_database):
    """With records and without triggers: only grants can refuse a statement."""
    url = make_database("postgresql", "admission")
    engine = make_engine(url)
    payer = PayingTenant.create(engine)
    payer.add_time(payer.people[0], at("2026-01-05T09:00"), at("2026-01-05T10:00"))
    with engine.begin() as tx:
        for table in RULES:
            unprotect(tx, table)
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def app(own_database):
    engine = make_engine(row_level_security.app_role(own_database))
    yield engine
    engine.dispose()


def state(engine, statement):
    """The code of PostgreSQL's refusal, empty where the statement is let through; nothing of it is kept."""
    with engine.connect() as tx, open_records(tx):
        try:
            tx.execute(statement)
        except sa.exc.DBAPIError as error:
            return getattr(error.orig, "sqlstate", "")
        finally:
            tx.rollback()
    return ""


@pytest.mark.parametrize("name", RULES)
def test_the_app_updates_only_the_columns_that_erasure_and_voiding_change(app, name):
    table = metadata.tables[name]
    same = {column.name: table.update().where(sa.false()).values({column.name: column}) for column in table.columns}

    assert {column for column, change in same.items() if state(app, change) != REFUSED} == set(RULES[name].soft)


@pytest.mark.parametrize("name", RULES)
def test_the_app_deletes_no_records_except_of_the_timer_log(app, name):
    assert state(app, metadata.tables[name].delete()) == ("" if RULES[name].deletable else REFUSED)


def test_the_app_adds_records_and_writes_every_other_table(app):
    for name, table in metadata.tables.items():
        nowhere = table.insert().from_select(list(table.columns.keys()), sa.select(table).where(sa.false()))

        assert state(app, nowhere) == ""
        assert name in RULES or state(app, table.delete().where(sa.false())) == ""


def test_the_app_cannot_change_the_migration_table(app):
    assert state(app, sa.text("UPDATE alembic_version SET version_num = 'x'")) == REFUSED


def test_the_app_can_write_tables_created_later(app, own_database):
    owner = make_engine(own_database)
    with owner.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE came_later (id INT)")
    left = state(app, sa.text("INSERT INTO came_later VALUES (1)"))
    with owner.begin() as tx:
        tx.exec_driver_sql("DROP TABLE came_later")
    owner.dispose()

    assert left == ""


def test_the_right_to_write_everything_is_revoked(own_database):
    entered = make_engine(postgres.make_role(own_database, "wrote_everything"))
    owner = make_engine(own_database)
    with owner.begin() as tx:
        tx.exec_driver_sql("GRANT pg_read_all_data, pg_write_all_data TO wrote_everything")
    removing = metadata.tables["audit_log"].delete()
    before = state(entered, removing)
    done = [Ops(own_database)("grant-access", "wrote_everything") for _ in range(2)]
    after = state(entered, removing)
    entered.dispose()
    with owner.begin() as tx:
        tx.exec_driver_sql("DROP OWNED BY wrote_everything")
        tx.exec_driver_sql("DROP ROLE wrote_everything")
    owner.dispose()

    assert (before, [each.code for each in done], after) == ("", [0, 0], REFUSED)
    assert all("but not change facts on record" in each.out for each in done)


def test_a_missing_role_is_named(own_database):
    done = Ops(own_database)("grant-access", "nobody_here")

    assert (done.code, "there is no role nobody_here" in done.err) == (3, True)


@pytest.mark.parametrize("name", ["x; DROP TABLE users; --", 'a"b', "ab"])
def test_a_name_with_other_letters_is_rejected(own_database, name):
    done = Ops(own_database)("grant-access", name)

    assert done.code == 2
    assert "expected a name of 3 to 63 letters, digits, hyphens and underscores" in done.err


def test_a_client_id_is_rejected_on_postgresql(own_database):
    done = Ops(own_database)("grant-access", "timetracker_app", "6e74172b-be56-4843-9ff4-e66a39bb12e3")

    assert (done.code, "on PostgreSQL, give the role's name alone" in done.err) == (2, True)


@on_postgresql
def test_the_tests_use_the_same_grants(app_engine):
    assert state(app_engine, metadata.tables["audit_log"].delete()) == REFUSED


def test_sqlite_has_no_roles(tmp_path):
    (tmp_path / "a.db").touch()
    done = Ops(f"sqlite:///{tmp_path}/a.db")("grant-access", "timetracker_app")

    assert (done.code, "SQLite has no roles" in done.err) == (2, True)
