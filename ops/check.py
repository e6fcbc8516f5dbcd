"""The command `check`: the invariants of the data of all tenants, and the requirements of the database."""

from typing import Final

import sqlalchemy as sa
import typer

from billing.invariants import BILLING
from ops.database import open_database
from ops.database_requirements import find_problems
from ops.errors import REJECTED
from ops.output import AsJson, print_json, print_rows, stderr_console
from shared.db.records_triggers import find_open_guard, find_unprotected_tables
from shared.health.invariants import INVARIANTS as OF_ALL_SLICES
from shared.health.invariants import Violation, check
from timers.write_back.invariants import WRITE_BACK


INVARIANTS: Final = {**OF_ALL_SLICES, **BILLING, **WRITE_BACK}
_SEES_TRIGGERS: Final = "SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION')"
_OPEN_GUARD: Final = {
    "sqlite": "has a row, so erasable text can be changed; run: alembic upgrade head",
    "postgresql": "is set for the database or a role, so erasable text can be changed; "
    "run ALTER DATABASE or ALTER ROLE … RESET timetracker.records",
}


def command(*, as_json: AsJson = False) -> None:
    """Check the invariants of all data.

    Exit code 1 if one is violated.
    """
    from rich.progress import track  # noqa: PLC0415 - slow to load

    console = stderr_console()
    found: dict[str, Violation | None] = {}
    with open_database() as database:
        with database.transaction(reads_only=True) as tx:
            required = {**find_problems(tx), "records_are_append_only": _triggers(tx)}
        progress = track(
            INVARIANTS.items(), "Checking", console=console, transient=True, disable=not console.is_terminal
        )
        for name, query in progress:
            with database.transaction(reads_only=True, without_limit=True) as tx:
                found[name] = check(tx, name, query)
    if as_json:
        of_database = [_document(name, Violation(name, 1, ()) if text else None) for name, text in required.items()]
        print_json([*(_document(name, violation) for name, violation in found.items()), *of_database])
    else:
        rows = [[name, *_format_result(violation)] for name, violation in found.items()]
        rows += [[name, text or "holds", ""] for name, text in required.items()]
        print_rows(("INVARIANT", "RESULT", "FIRST ROWS"), rows, empty="")
    if any(found.values()) or any(required.values()):
        raise typer.Exit(REJECTED)


def _triggers(tx: sa.Connection) -> str:
    """The problem with the triggers of append-only records and its solution, empty if there is none."""
    if tx.dialect.name == "mssql" and not tx.exec_driver_sql(_SEES_TRIGGERS).scalar_one():
        return "this identity cannot see triggers; run check as the database's administrator"
    if tables := find_unprotected_tables(tx):
        return f"triggers are missing or changed on {', '.join(tables)}; run: alembic upgrade head"
    name = find_open_guard(tx)
    return f"{name} {_OPEN_GUARD[tx.dialect.name]}" if name else ""


def _format_result(violation: Violation | None) -> tuple[str, str]:
    if violation is None:
        return "holds", ""
    return f"{violation.count} violated", ", ".join(map(str, violation.ids))


def _document(name: str, violation: Violation | None) -> dict[str, object]:
    count, ids = (violation.count, list(violation.ids)) if violation else (0, [])
    return {"name": name, "holds": violation is None, "violations": count, "firstIds": ids}
