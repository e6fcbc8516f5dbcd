"""How the app's identity is let into the database."""

import functools
import re
import uuid

import pytest

from ops import grant_access
from shared.db.schema import metadata
from tests.azure.conftest import Identity
from tests.support.commands import Ops
from tests.support.sql_server import COMMIT


CLIENT_ID = uuid.UUID("6e74172b-be56-4843-9ff4-e66a39bb12e3")


@pytest.fixture
def grant_access_to(azure, monkeypatch):
    monkeypatch.setattr("shared.db.azure_sql._identity", Identity)
    return functools.partial(Ops(azure.url), "grant-access")


def test_an_identity_may_read_and_write_rows_and_nothing_more(azure, grant_access_to):
    code = grant_access_to("id-timetracker", str(CLIENT_ID)).code
    said = [text for text in azure.texts if "id-timetracker" in text]

    absent = "IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'id-timetracker')"

    assert code == 0
    assert said[:3] == [
        f"{absent} CREATE USER [id-timetracker] WITH SID = 0x2B17746E56BE43489FF4E66A39BB12E3, TYPE = E",
        "ALTER ROLE db_datareader ADD MEMBER [id-timetracker]",
        "ALTER ROLE db_datawriter ADD MEMBER [id-timetracker]",
    ]
    assert said[3:] == list(grant_access.denials("id-timetracker"))
    assert azure.texts[-1] == COMMIT


@pytest.mark.parametrize("name", ["x]; DROP TABLE users; --", "a'b", "ab"])
def test_a_name_with_other_letters_is_rejected(grant_access_to, name):
    done = grant_access_to(name, str(CLIENT_ID))

    assert (done.code, "letters, digits and hyphens" in done.err) == (2, True)


def test_changes_of_facts_are_denied_to_it_despite_its_roles():
    """A DENY of a column wins over db_datawriter; the rest is left to the triggers."""
    said = list(grant_access.denials("id-a"))
    columns = {name: set(table.columns.keys()) for name, table in metadata.tables.items()}
    denied = {
        text.split()[3][4:]: set(re.findall(r"\w+", text.split("(")[1].split(")")[0]))
        for text in said
        if text.startswith("DENY UPDATE")
    }

    assert all(text.endswith("[id-a]") for text in said)
    assert {name: columns[name] - denied[name] for name in denied} == {
        "audit_log": set(),
        "billing_lines": {"email", "display_name", "is_void"},
        "billing_records": {"state", "voided_at", "void_reason"},
        "erasures": set(),
        "timer_log": {"reason", "before_change", "after_change"},
    }
    assert {text.split()[3][4:] for text in said if text.startswith("DENY DELETE")} == denied.keys() - {"timer_log"}


def test_the_statements_are_made_for_one_name():
    assert all("id-a" in statement for statement in grant_access.azure_sql("id-a", CLIENT_ID))


def test_an_identity_of_azure_has_a_client_id(grant_access_to):
    done = grant_access_to("id-timetracker")

    assert (done.code, "client id" in done.err) == (2, True)
