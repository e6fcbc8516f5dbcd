"""The operator behind a connection to Azure SQL, as the audit log keeps them."""

import os
import uuid

import pytest

from shared.db import operator
from tests.support import sql_server
from tests.support.sql_server import Rows


ADA = uuid.UUID("6e74172b-be56-4843-9ff4-e66a39bb12e3")


@pytest.mark.parametrize(
    ("database_user", "operator_id"),
    [
        (ADA.bytes_le.hex().upper(), f"entra:{ADA}"),
        (ADA.bytes_le.hex().upper() + "41414445", f"entra:{ADA}"),  # a sign-in by a login has a suffix
        ("01", f"os:{os.getuid()}"),  # the server's own administrator
    ],
)
def test_the_operator_is_an_object_id_and_no_name(azure, azure_engine, database_user, operator_id):
    def script(statement):
        return Rows(("",), [(database_user,)]) if "SUSER_SID" in statement.sql else sql_server.default_script(statement)

    azure.script = script
    operator.track_operator(azure_engine)
    with azure_engine.connect() as tx:
        found = operator.of(tx)

    assert found == operator_id
    assert not any("SUSER_SNAME" in text or "SUSER_NAME" in text for text in azure.texts)


def test_a_connection_of_the_app_has_no_operator(azure_engine):
    with azure_engine.connect() as tx:
        assert operator.of(tx) is None
