"""How the app's identity is let into the database."""

import uuid

import pytest

from ops import admission
from ops.__main__ import main
from tests.azure.conftest import Identity
from tests.support.sql_server import COMMIT


CLIENT_ID = uuid.UUID("6e74172b-be56-4843-9ff4-e66a39bb12e3")


def test_an_identity_may_read_and_write_rows_and_nothing_more(azure, monkeypatch):
    monkeypatch.setattr("shared.db.azure_sql._identity", Identity)
    monkeypatch.setenv("DATABASE_URL", azure.url)
    code = main(["admit", "id-timetracker", str(CLIENT_ID)])
    said = [text for text in azure.texts if "id-timetracker" in text]

    absent = "IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'id-timetracker')"

    assert code == 0
    assert said == [
        f"{absent} CREATE USER [id-timetracker] WITH SID = 0x2B17746E56BE43489FF4E66A39BB12E3, TYPE = E",
        "ALTER ROLE db_datareader ADD MEMBER [id-timetracker]",
        "ALTER ROLE db_datawriter ADD MEMBER [id-timetracker]",
    ]
    assert azure.texts[-1] == COMMIT


@pytest.mark.parametrize("name", ["x]; DROP TABLE users; --", "a'b", "ab"])
def test_a_name_that_is_none_is_refused(name, capsys):
    assert main(["admit", name, str(CLIENT_ID)]) == 2
    assert "letters, digits and hyphens" in capsys.readouterr().err


@pytest.mark.skip_on("mssql", reason="it is about the other databases")
def test_other_databases_have_no_identities(database_url, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", database_url)

    assert main(["admit", "id-timetracker", str(CLIENT_ID)]) == 2
    assert "only Azure SQL" in capsys.readouterr().err


def test_the_statements_are_made_for_one_name():
    assert all("id-a" in statement for statement in admission.statements("id-a", CLIENT_ID))
