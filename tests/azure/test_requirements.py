"""The requirements of the database, and the time limit of a migration, with Microsoft's driver."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from ops.database_requirements import find_problems
from shared.db import engine as engines
from shared.db.records_triggers import protect
from shared.db.schema import metadata
from tests.support.commands import Ops
from tests.support.sql_server import COMMIT, Rows, default_script


ROOT = Path(__file__).resolve().parents[2]
RIGHT, BY_DEFAULT = "Latin1_General_100_BIN2_UTF8", "SQL_Latin1_General_CP1_CI_AS"


def trigger_response(sql, triggers):
    """A server's response about triggers, as created by the statements so far."""
    if made := re.match(r"CREATE TRIGGER (\w+) ON (\w+)", sql):
        triggers.append((made[2], made[1], 1, sql))
    if "HAS_PERMS_BY_NAME" in sql:
        return Rows(("",), [(1,)])
    if "sys.triggers" in sql and triggers:
        return Rows(("table", "name", "is_enabled", "definition"), triggers)
    if table := re.fullmatch(r"SELECT \* FROM (\w+) WHERE 1 = 0", sql):
        return Rows(tuple(metadata.tables[table[1]].columns.keys()), [])
    return None


@pytest.fixture
def database(azure, monkeypatch):
    """A scripted empty database in which every statement succeeds, with the given collation."""
    found = {"collation": RIGHT, "snapshots": 1}
    triggers: list[tuple[str, str, int, str]] = []
    monkeypatch.setenv("DATABASE_URL", str(azure.url.replace("//", "//sa:secret@")))

    def script(statement):
        if "DATABASEPROPERTYEX" in statement.sql:
            return Rows(("collation_name", "reads_snapshots"), [(found["collation"], found["snapshots"])])
        if "alembic_version SET" in statement.sql:
            return 1
        if "OUTPUT inserted.version_num" in statement.sql:
            return Rows(("version_num",), [("872a54654399",)])
        if (answer := trigger_response(statement.sql, triggers)) is not None:
            return answer
        answer = default_script(statement)
        return Rows(("id",), []) if answer is None and statement.sql.startswith("SELECT") else answer

    azure.script = script
    return found


def migrate():
    alembic = [sys.executable, "-m", "alembic", "upgrade", "head"]
    return subprocess.run(alembic, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"collation": BY_DEFAULT}, f"{BY_DEFAULT}; create the database again with COLLATE {RIGHT}"),
        ({"snapshots": 0}, "run: ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON"),
    ],
)
def test_a_database_that_would_break_promises_is_not_migrated(azure, database, changed, message):
    database.update(changed)
    done = migrate()

    assert done.returncode != 0
    assert message in done.stderr
    assert [text for text in azure.texts if "CREATE" in text or text == COMMIT] == []


def test_a_migration_has_the_time_it_takes(azure, database, monkeypatch):
    make_engine, limits = engines.make_engine, {}

    def make_observed_engine(*arguments, **options):
        engine = make_engine(*arguments, **options)

        @sa.event.listens_for(engine, "before_cursor_execute")
        def _note(connection, _cursor, statement, *_):
            limits[statement] = connection.connection.driver_connection.timeout

        return engine

    monkeypatch.setattr(engines, "make_engine", make_observed_engine)
    command.upgrade(Config(str(ROOT / "alembic.ini")), "head")
    changing = {text: limit for text, limit in limits.items() if re.match(r"\s*(CREATE|ALTER|UPDATE|DELETE)", text)}

    assert database
    assert len(changing) > 60
    assert {text: limit for text, limit in changing.items() if limit != 0} == {}
    assert azure.texts.count(COMMIT) == 1


@pytest.mark.parametrize(
    ("changed", "unmet"),
    [
        ({}, []),
        ({"collation": "Latin1_General_BIN2"}, []),
        ({"collation": BY_DEFAULT}, ["database_compares_texts_exactly"]),
        ({"snapshots": 0}, ["database_reads_snapshots"]),
    ],
)
def test_the_operators_check_verifies_collation_and_snapshots(database, azure_engine, changed, unmet):
    with azure_engine.begin() as tx:
        protect(tx)
    database.update(changed)
    ops = Ops(os.environ["DATABASE_URL"])
    checked, table = ops("check", "--json"), ops("check").out
    checks = checked.json

    assert checked.code == (1 if unmet else 0)
    assert [each["name"] for each in checks if not each["holds"]] == unmet
    assert {"database_compares_texts_exactly", "database_reads_snapshots"} <= {each["name"] for each in checks}
    assert ("create the database again" in table, "ALTER DATABASE" in table) == (
        "database_compares_texts_exactly" in unmet,
        "database_reads_snapshots" in unmet,
    )


@pytest.mark.skip_on("mssql", reason="it is about the other databases")
def test_other_databases_have_no_such_requirements(engine):
    with engine.connect() as tx:
        assert find_problems(tx) == {}
