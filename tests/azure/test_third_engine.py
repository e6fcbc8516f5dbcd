"""A SQL Server that TEST_MSSQL_URL names is used as Azure SQL is; tests/tools has that the whole suite runs on it."""

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import mssql
from tests.support.sql_server import BEGIN


ROOT = Path(__file__).resolve().parents[2]
NOBODY = "mssql+pyodbc://sa:secret@127.0.0.1:1/master"


def test_a_given_server_that_cannot_be_used_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setenv("TEST_MSSQL_URL", NOBODY)
    monkeypatch.setattr("tests.support.odbc._missing", lambda: "no libodbc")
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    with pytest.raises(pytest.fail.Exception, match="no libodbc"), mssql.server(tmp_path):
        pass


def test_databases_on_sql_server_are_created_like_those_of_azure_outside_of_transactions(azure):
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
