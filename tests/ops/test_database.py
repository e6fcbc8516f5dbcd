import sqlite3

import pytest

from tests.support.commands import Ops


def test_a_missing_database_file_is_reported_and_not_created(tmp_path):
    gone = Ops(f"sqlite:///{tmp_path}/gone/timetracker.db")("tenants", "list")

    assert gone.code == 4
    assert gone.message.startswith(f"ops: there is no database file {tmp_path}/gone/timetracker.db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_migrated_is_reported(tmp_path):
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    empty = Ops(f"sqlite:///{tmp_path}/empty.db")("check")

    assert empty.code == 4
    assert "is not migrated" in empty.message
    assert "alembic upgrade head" in empty.message


@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [
        ("postgresql+psycopg://somebody:hunter2@127.0.0.1:1/timetracker", 4, "on 127.0.0.1 cannot be reached"),
        ("oracle://somebody:hunter2@127.0.0.1/timetracker", 2, "of SQLite, PostgreSQL or Azure SQL"),
        ("postgresql://somebody:hunter2@127.0.0.1:port/timetracker", 2, "expected an SQLAlchemy URL"),
        ("hunter2", 2, "is not an SQLAlchemy URL"),
        ("sqlite://", 4, "there is no database file"),
    ],
)
def test_an_unusable_database_is_a_one_line_error_without_its_password(url, code, reason):
    failed = Ops(url)("tenants", "list")

    assert (failed.code, failed.out) == (code, "")
    assert reason in failed.message
    assert "hunter2" not in failed.err


def test_a_file_that_is_not_a_database_is_reported(tmp_path):
    (tmp_path / "notes.db").write_text("Buy milk. " * 500)
    failed = Ops(f"sqlite:///{tmp_path}/notes.db")("check")

    assert failed.code == 4
    assert "cannot be reached" in failed.message


def test_a_wrong_setting_is_named(database_url):
    failed = Ops(database_url)("tenants", "list", TRIAL_USER_LIMIT="five")

    assert failed.code == 2
    assert "TRIAL_USER_LIMIT" in failed.message
