"""With which lock a transaction begins on SQLite."""

import sqlite3

import pytest
import sqlalchemy as sa

from shared.db.engine import make_engine


@pytest.fixture
def file(tmp_path):
    return tmp_path / "begin.db"


@pytest.fixture
def engine(file):
    """On one connection, for the next user of it too."""
    engine = make_engine(f"sqlite:///{file}", pool_size=1)
    with engine.begin() as tx:
        tx.exec_driver_sql("PRAGMA busy_timeout=0")
        tx.exec_driver_sql("CREATE TABLE hours (ms INTEGER)")
    yield engine
    engine.dispose()


@pytest.fixture
def elsewhere(file, engine):  # noqa: ARG001 - the table is made first
    """Another connection, without waiting for locks."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=0)
    yield connection
    connection.close()


def reading(engine):
    return engine.connect().execution_options(reads_only=True)


def test_a_transaction_takes_the_write_lock_before_its_first_statement(engine, elsewhere):
    with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        elsewhere.execute("INSERT INTO hours VALUES (1)")


def test_a_read_only_transaction_takes_no_write_lock(engine, elsewhere):
    with reading(engine) as connection, connection.begin():
        elsewhere.execute("INSERT INTO hours VALUES (1)")

        assert connection.execute(sa.text("SELECT count(*) FROM hours")).scalar_one() == 1


def test_a_transaction_after_a_reader_takes_the_write_lock_again(engine, elsewhere):
    with reading(engine) as connection, connection.begin():
        pass

    with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        elsewhere.execute("INSERT INTO hours VALUES (1)")


def test_a_lock_timeout_is_a_database_error(engine, elsewhere):
    elsewhere.execute("BEGIN IMMEDIATE")

    with pytest.raises(sa.exc.OperationalError, match="locked"), engine.begin():
        pass
    elsewhere.execute("ROLLBACK")
    with engine.begin() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM hours").scalar_one() == 0
