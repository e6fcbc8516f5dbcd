"""With TEST_MSSQL_URL, the tests have a third engine."""

import os
import subprocess
import sys
from pathlib import Path


ROOT = Path(__file__).resolve().parents[2]
NOBODY = "mssql+pyodbc://sa:secret@127.0.0.1:1/master"


def run(*words, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_MSSQL")}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *words]
    done = subprocess.run(command, cwd=ROOT, env={**environment, **more}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def test_a_given_sql_server_is_the_third_engine_of_all_tests():
    some = ("--collect-only", "tests/contract/test_schema.py", "tests/timers/running/test_idempotency.py")
    found = {line for line in run(*some, TEST_MSSQL_URL=NOBODY) if "::" in line}
    on_sqlite = {name for name in found if "[sqlite" in name}

    assert len(on_sqlite) > 10
    assert {name.replace("sqlite", "mssql") for name in on_sqlite} == {name for name in found if "[mssql" in name}


def test_a_test_without_meaning_on_an_engine_is_skipped_with_the_reason():
    said = run("tests/contract/test_schema.py", "-k", "the_checks and mssql", TEST_MSSQL_URL=NOBODY)

    assert "not on mssql: SQLAlchemy reads no CHECK there" in " ".join(said)
    assert said[-1].startswith("1 skipped")
