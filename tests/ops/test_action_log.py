"""The command that moves the action log from row numbers to random keys."""

import datetime as dt
import functools
import uuid

import pytest
import sqlalchemy as sa
from azure.data.tables import TableServiceClient

from shared.db.schema import installation, tenants, users
from tenants.actions.log.model import Action, row_key
from tests.support import action_logs
from tests.support import azurite as azurite_support


START = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)


@pytest.fixture
def service(azurite):
    with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        action_logs.empty(service)
        yield service


@pytest.fixture
def rekey(ops, azurite):
    return functools.partial(ops, "action-log", "rekey", ACTION_LOG_TABLE_ENDPOINT=azurite.connection_string)


@pytest.fixture
def tenant(world, engine, service):
    """A tenant with two hundred rows under its row number; other tenants have none."""
    tid = uuid.UUID(world.tenant().tid)
    with engine.begin() as tx:
        tx.execute(tenants.update().values(has_numbered_log=tenants.c.entra_tenant_id == tid))
        found = tx.execute(sa.select(tenants).where(tenants.c.entra_tenant_id == tid)).one()
        user = tx.scalars(sa.select(users.c.id).where(users.c.tenant_id == found.id)).one()
    keys = [row_key(START, user_id=user, tag=f"{number:08x}") for number in range(200)]
    action_logs.write_numbered(service, [Action(found.id, user, key, "page.open", "/timer", START) for key in keys])
    return found


def is_numbered(engine, tenant):
    with engine.connect() as connection:
        return connection.scalar(sa.select(tenants.c.has_numbered_log).where(tenants.c.id == tenant.id))


def test_rows_are_moved_once(rekey, tenant, service, engine):
    shown, done, again = rekey("--dry-run"), rekey("--yes"), rekey("--yes", "--json")

    assert (shown.code, shown.out.splitlines()[-1].split()) == (0, [tenant.slug, "200"])
    assert shown.err == "Dry run: nothing was moved.\n"
    assert (done.code, done.err) == (0, "200 rows were moved.\n")
    assert again.json == {"dryRun": False, "moved": []}
    assert action_logs.partitions(service) == {tenant.log_key.hex}
    assert is_numbered(engine, tenant) is False


def test_nothing_is_moved_without_confirmation(rekey, tenant, service, engine):
    done = rekey()

    assert (done.code, "--yes skips the question" in done.message) == (2, True)
    assert action_logs.partitions(service) == {f"{tenant.id:012d}"}
    assert is_numbered(engine, tenant) is True


@pytest.fixture
def restore_hold(engine):
    with engine.begin() as tx:
        tx.execute(installation.update().values(held_since=START, held_reason="begun"))
    yield
    with engine.begin() as tx:
        tx.execute(installation.update().values(held_since=None, held_reason=None))


@pytest.mark.usefixtures("restore_hold")
def test_nothing_is_moved_while_the_database_is_held(rekey, tenant, service, engine):
    """The rows belong to production: a copy shares its log."""
    done = rekey("--yes")

    assert (done.code, "the database is held" in done.message) == (1, True)
    assert action_logs.partitions(service) == {f"{tenant.id:012d}"}
    assert is_numbered(engine, tenant) is True


def test_a_log_in_the_database_needs_no_move(ops):
    done = ops("action-log", "rekey", "--yes", ACTION_LOG_TABLE_ENDPOINT="")

    assert (done.code, "the action log is in the database" in done.message) == (2, True)


def test_an_unavailable_storage_is_a_one_line_error(ops, tenant, engine):
    away = azurite_support.connection_string(azurite_support.free_port())
    done = ops("action-log", "rekey", "--yes", ACTION_LOG_TABLE_ENDPOINT=away)

    assert (done.code, "the storage failed" in done.message) == (4, True)
    assert is_numbered(engine, tenant) is True
