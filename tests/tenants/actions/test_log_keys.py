"""Rows in Table Storage are under random keys, which no other customer has; older rows are moved there."""

import datetime as dt
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from azure.data.tables import TableServiceClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db.engine import make_engine
from shared.db.schema import installation, tenants, users
from tenants.actions.log import key_store
from tenants.actions.log import tables as log_tables
from tenants.actions.log.model import Action, LogQuery, bound_key, row_key
from tenants.actions.log.tables import TablesActionLog
from tests.support import action_logs
from tests.support.action_logs import partitions, write_numbered
from tests.support.budget import tries
from tests.support.database_copies import database_copier
from tests.support.paying_tenants import PayingTenant


ROOT = Path(__file__).resolve().parents[3]
START = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
TAG = "0a1b2c3d"


@pytest.fixture(scope="module")
def empty(another_database):
    engine = make_engine(another_database("action_log"))
    yield engine
    engine.dispose()


@pytest.fixture
def copy(tmp_path):
    with database_copier(tmp_path) as copy:
        yield copy


@pytest.fixture
def service(azurite) -> Iterator[TableServiceClient]:
    with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        action_logs.empty(service)
        yield service


@pytest.fixture
def log(app, azurite, service):  # noqa: ARG001 - it empties the storage
    """Makes the log of a database."""
    return lambda engine: TablesActionLog(azurite.connection_string, replace(app, engine=engine).transaction)


@pytest.fixture
def payer(empty, copy):
    return PayingTenant.create(copy(empty), since=START - dt.timedelta(days=365))


def action(payer, person, at=START, *, place=0, page="/timer"):
    user = payer.people[person]
    key = row_key(at, user_id=user, tag=TAG, place=place)
    return Action(payer.tenant_id, user, key, "timer.start", page, at)


def key_of(payer: PayingTenant) -> str:
    with payer.engine.connect() as connection:
        key: uuid.UUID = connection.scalars(sa.select(tenants.c.log_key).where(tenants.c.id == payer.tenant_id)).one()
    return key.hex


def everything(log, payer, most=7, user_id=None, **bounds):
    found, after = [], None
    while rows := log.page(payer.tenant_id, LogQuery(user_id=user_id, after=after, limit=most, **bounds)):
        found += rows
        after = rows[-1].row_key
    return found


def test_a_restored_database_reads_nothing_of_the_former_customer_with_the_row_id(empty, copy, log, service):
    """Both tenants came after the backup, in one timeline each, and have the same row numbers."""
    lost, other = (PayingTenant.create(copy(empty), since=START) for _ in range(2))
    log(lost.engine).append([action(lost, 0)])
    with other.engine.begin() as tx:
        tx.execute(tenants.update().values(has_numbered_log=False))

    assert (lost.tenant_id, lost.people) == (other.tenant_id, other.people)
    assert everything(log(other.engine), other) == []
    assert everything(log(lost.engine), lost) == [action(lost, 0)]
    assert partitions(service) == {key_of(lost)}


def test_a_new_tenant_has_no_rows_under_its_row_id(world, app, engine, service, azurite):
    admin = world.tenant()
    with engine.connect() as connection:
        found = connection.execute(sa.select(tenants).where(tenants.c.entra_tenant_id == uuid.UUID(admin.tid))).one()
        user = connection.scalars(sa.select(users.c.id).where(users.c.tenant_id == found.id)).one()
    key = row_key(START, user_id=user, tag=TAG)
    write_numbered(service, [Action(found.id, user, key, "timer.start", "/lost", START)])
    log = TablesActionLog(azurite.connection_string, app.transaction)

    assert not found.has_numbered_log
    assert log.page(found.id, LogQuery(limit=10)) == []


def test_rows_under_both_keys_are_read_in_one_order(log, payer, service):
    instants = [START - dt.timedelta(days=5 * number) for number in range(12)]
    sent = [action(payer, person, at, place=place) for at in instants for person in range(3) for place in range(2)]
    write_numbered(service, sent[::2])
    log(payer.engine).append(sent[1::2])
    of_bob = everything(log(payer.engine), payer, most=2, user_id=payer.people[1])
    found = everything(log(payer.engine), payer)
    since, until = bound_key(instants[9]), bound_key(instants[2])
    of_days = everything(log(payer.engine), payer, most=2, since=since, until=until)

    assert len(found) == len(sent) == 72
    assert of_days == [row for row in found if instants[9] <= row.happened_at < instants[2]]
    assert {row.row_key for row in found} == {row.row_key for row in sent}
    assert [row.happened_at for row in found] == sorted((row.happened_at for row in sent), reverse=True)
    assert {row.row_key for row in of_bob} == {row.row_key for row in sent if row.user_id == payer.people[1]}


@settings(max_examples=tries(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 1), st.sampled_from(["old", "new", "both"])),
        unique_by=lambda row: row[:3],
        max_size=30,
    ),
    most=st.integers(1, 9),
)
def test_moved_rows_are_read_as_before_at_any_point_of_the_move(log, payer, service, rows, most):
    mine = log(payer.engine)
    mine.delete(payer.tenant_id)
    made = [(action(payer, who, START - dt.timedelta(days=day), place=place), where) for who, day, place, where in rows]
    write_numbered(service, [each for each, where in made if where != "new"])
    for each, where in made:
        if where != "old":
            mine.append([each])
    before = everything(mine, payer, most)
    moved = mine.move(payer.tenant_id)

    assert len(before) == len(made)
    assert moved == sum(where != "new" for _, where in made)
    assert everything(mine, payer, most) == before
    assert partitions(service) <= {key_of(payer)}


def test_an_interrupted_move_continues_and_every_row_can_be_read_meanwhile(log, payer, service):
    sent = [action(payer, place % 3, START - dt.timedelta(minutes=place), place=place % 7) for place in range(230)]
    write_numbered(service, sent)
    mine = log(payer.engine)
    seen = []

    def interrupt(moved: int) -> None:
        seen.append((moved, len(everything(mine, payer, 200)), mine.count_numbered(payer.tenant_id)))
        if len(seen) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine.move(payer.tenant_id, progress=interrupt)
    moved = mine.move(payer.tenant_id, progress=interrupt)

    assert seen == [(100, 230, 130), (100, 230, 30), (30, 230, 0)]
    assert (moved, mine.move(payer.tenant_id)) == (130, 0)
    assert everything(mine, payer, 100) == sorted(sent, key=lambda each: each.row_key)


def stale(payer, service):
    """What a move has read, and has not copied yet."""
    with payer.engine.connect() as connection:
        keys = key_store.load_keys(connection, payer.tenant_id, everyone=True)
    table = service.get_table_client("actions202611")
    rows = [log_tables._old_row(entity, keys) for entity in table.list_entities()]
    return lambda: log_tables._move(table, rows, keys)


def test_an_erasure_between_reading_and_moving_is_not_undone(log, payer, service):
    write_numbered(service, [action(payer, 0), action(payer, 1)])
    mine, move = log(payer.engine), stale(payer, service)
    mine.rewrite(payer.tenant_id, lambda user, page: "" if user == payer.people[0] else page)

    assert move() is False
    mine.move(payer.tenant_id)
    assert {(row.user_id, row.page) for row in everything(mine, payer)} == {
        (payer.people[0], ""),
        (payer.people[1], "/timer"),
    }


def test_a_tenants_erasure_between_reading_and_moving_leaves_no_copy(log, payer, service):
    write_numbered(service, [action(payer, 0), action(payer, 1)])
    mine, move = log(payer.engine), stale(payer, service)
    mine.delete(payer.tenant_id)

    assert move() is False
    assert partitions(service) == set()


def test_an_erasure_finds_rows_after_the_persons_public_id_has_changed(log, payer):
    mine = log(payer.engine)
    mine.append([action(payer, 0), action(payer, 1)])
    with payer.engine.begin() as tx:
        tx.execute(users.update().where(users.c.id == payer.people[0]).values(public_id=uuid.UUID(int=7)))
    mine.rewrite(payer.tenant_id, lambda user, page: "" if user == payer.people[0] else page)

    assert {row.user_id: row.page for row in everything(mine, payer)} == {
        payer.people[0]: "",
        payer.people[1]: "/timer",
    }


def test_actions_of_people_missing_after_a_restore_are_hidden_and_end_no_page(log, payer, copy):
    backup = copy(payer.engine)
    payer.add_person(START)
    mine = log(payer.engine)
    mine.append([action(payer, 3, START + dt.timedelta(minutes=minute)) for minute in range(9)])
    mine.append([action(payer, 0)])

    assert everything(log(backup), payer, most=3) == [action(payer, 0)]


def test_a_reused_row_id_takes_over_no_row(log, payer, service):
    """The action is older than the account that has its number now."""
    newcomer = payer.add_person(START + dt.timedelta(days=30))
    write_numbered(service, [action(payer, 3), action(payer, 0)])
    mine = log(payer.engine)
    before = everything(mine, payer)
    mine.move(payer.tenant_id)

    assert newcomer == payer.people[3]
    assert before == everything(mine, payer) == [action(payer, 0)]


def alembic(engine: sa.Engine, *step: str) -> None:
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[engine.dialect.name]
    url = engine.url.set(drivername=driver).render_as_string(hide_password=False)
    environment = {**os.environ, "DATABASE_URL": url}
    subprocess.run([sys.executable, "-m", "alembic", *step], cwd=ROOT, env=environment, check=True)


def ids(engine: sa.Engine) -> list[list[uuid.UUID]]:
    """The installation's public id, and the log keys of tenants and of people."""
    with engine.connect() as connection:
        return [
            list(connection.scalars(sa.select(column).order_by(column.table.c.id)))
            for column in (installation.c.public_id, tenants.c.log_key, users.c.log_key)
        ]


def test_a_backup_from_before_the_migration_gets_the_same_ids_again(another_database, copy):
    production = make_engine(another_database("log_keys"))
    before = ids(production)
    payers = [PayingTenant.create(production, people=people) for people in (3, 1000, 3)]  # more than are read at once
    alembic(production, "downgrade", "c19f3a6e5d42-1")
    backup = copy(production)
    for engine in (production, backup):
        alembic(engine, "upgrade", "head")
    [of_installation], of_tenants, of_people = made = ids(production)
    with production.connect() as connection:
        numbered = connection.scalars(sa.select(tenants.c.has_numbered_log)).all()

    assert made == ids(backup)
    assert before != [[of_installation], [], []]
    assert len({of_installation, *of_tenants, *of_people}) == 1 + 3 + 1006
    assert numbered == [True] * 3

    payers[0].add_person(START)
    newest = ids(production)[2][-1]
    production.dispose()

    assert newest not in of_people
