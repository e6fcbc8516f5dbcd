"""The command line as a real process; other tests run commands in the test's process."""

import subprocess
import sys

import pytest

from ops.__main__ import app
from tests.support.commands import ROOT, Ops, wait_for_result


COMMANDS = {  # on a database without a tenant: the exit code, and the text on standard error
    "tenants": (("list", "--json"), 0, ""),
    "users": (("list", "nobody"), 3, "no tenant has the slug"),
    "billing": (("records",), 0, "No bills found."),
    "marketplace": (("reconcile",), 2, "MARKETPLACE_"),
    "privacy": (("requests", "--json"), 0, ""),
    "restore": (("accept", "--yes", "--without-store"), 1, "the database is not held"),
    "rls": (("show",), 2, "no row-level security"),
    "action-log": (("rekey", "--yes"), 2, "the action log is in the database"),
    "audit": (("nobody",), 3, "no tenant has the slug"),
    "check": ((), 0, ""),
    "grant-access": (("timetracker_app",), 2, "SQLite has no roles"),
}
SLOW = (
    "alembic",
    "azure.data.tables",
    "azure.identity",
    "devcloud",
    "fpdf",
    "psycopg",
    "pyodbc",
    "requests",
    "rich.progress",
    "sqlalchemy.orm",
    "xlsxwriter",
)


@pytest.fixture(scope="module")
def empty(make_database) -> Ops:
    return Ops(make_database("sqlite", "process"))


def test_every_group_is_started():
    groups, commands = ([each.name for each in every] for every in (app.registered_groups, app.registered_commands))

    assert {*groups, *commands} == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_process_ends_with_the_exit_code_of_its_command(empty, name):
    arguments, code, message = COMMANDS[name]
    done = wait_for_result(empty.start(name, *arguments))

    assert (done.code, message in done.err) == (code, True), done
    assert "Traceback" not in done.err


def test_no_command_imports_slow_modules_at_its_start():
    code = f"import ops.__main__, sys; print([name for name in {SLOW!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
