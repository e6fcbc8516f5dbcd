"""A third engine is there for the whole suite where TEST_MSSQL_URL names a server, and only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import mssql
from tests.support.sql_server import BEGIN


ROOT = Path(__file__).resolve().parents[2]
NOBODY = "mssql+pyodbc://sa:secret@127.0.0.1:1/master"


def run(*words, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_MSSQL")}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *words]
    done = subprocess.run(command, cwd=ROOT, env={**environment, **more}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def test_a_given_sql_server_is_the_third_engine_of_the_whole_suite():
    some = ("--collect-only", "tests/contract/test_schema.py", "tests/timers/running/test_idempotency.py")
    found = {line for line in run(*some, TEST_MSSQL_URL=NOBODY) if "::" in line}
    on_sqlite = {name for name in found if "[sqlite" in name}

    assert len(on_sqlite) > 10
    assert {name.replace("sqlite", "mssql") for name in on_sqlite} == {name for name in found if "[mssql" in name}


def test_a_test_of_what_an_engine_cannot_show_is_skipped_there_with_the_reason():
    said = run("tests/contract/test_schema.py", "-k", "the_checks and mssql", TEST_MSSQL_URL=NOBODY)

    assert "not on mssql: SQLAlchemy reads no CHECK there" in " ".join(said)
    assert said[-1].startswith("1 skipped")


def test_a_given_server_that_cannot_be_used_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setenv("TEST_MSSQL_URL", NOBODY)
    monkeypatch.setattr("tests.support.odbc._missing", lambda: "no libodbc")
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    with pytest.raises(pytest.fail.Exception, match="no libodbc"), mssql.server(tmp_path):
        pass


def test_its_databases_are_made_as_those_of_azure_outside_of_transactions(azure):
    url = azure.url.replace("//", "//sa:secret@")
    made = mssql.make_database(url, "timetracker_gw0")
    login = mssql.make_login(url, made, "timetracker_app")
    mssql.drop_database(url, "timetracker_gw0")
    said = [text for text in azure.texts if "timetracker_" in text]

    assert sa.make_url(made).database == "timetracker_gw0"
    assert (sa.make_url(login).username, sa.make_url(login).database) == ("timetracker_app", "timetracker_gw0")
    assert said[:3] == [
        "DROP DATABASE IF EXISTS [timetracker_gw0]",
        "CREATE DATABASE [timetracker_gw0] COLLATE Latin1_General_100_BIN2_UTF8",
        "ALTER DATABASE [timetracker_gw0] SET READ_COMMITTED_SNAPSHOT ON",
    ]
    assert said[-2:] == [
        "ALTER DATABASE [timetracker_gw0] SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
        "DROP DATABASE [timetracker_gw0]",
    ]
    assert [text.partition(" ADD ")[0] for text in said if text.startswith("ALTER ROLE")] == [
        "ALTER ROLE db_datareader",
        "ALTER ROLE db_datawriter",
    ]
    assert BEGIN not in azure.texts[azure.texts.index(said[0]) : azure.texts.index(said[2])]
