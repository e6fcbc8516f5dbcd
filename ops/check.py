"""The command `check`: every invariant of the data, over all tenants, and what the database itself must be."""

from typing import Final

import sqlalchemy as sa
import typer

from billing.invariants import BILLING
from ops.database import opened
from ops.exits import REFUSED
from ops.output import AsJson, aside, print_json, print_rows
from ops.requirements import requirements
from shared.db.records_triggers import find_open_guard, find_unprotected_tables
from shared.health.invariants import INVARIANTS as OF_ALL_SLICES
from shared.health.invariants import Violation, check
from timers.write_back.invariants import WRITE_BACK


INVARIANTS: Final = {**OF_ALL_SLICES, **BILLING, **WRITE_BACK}
_SEES_TRIGGERS: Final = "SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION')"
_CLOSING: Final = {
    "sqlite": "has a row, which lets erasable text be changed; run: alembic upgrade head",
    "postgresql": "is set for the database or a role, which lets erasable text be changed; "
    "run ALTER DATABASE or ALTER ROLE … RESET timetracker.records",
}


def command(*, as_json: AsJson = False) -> None:
    """Check what must always be true of the data; exit code 1 when something is not."""
    from rich.progress import track  # noqa: PLC0415 - slow to load, and no other command needs it

    console = aside()
    found: dict[str, Violation | None] = {}
    with opened() as database:
        with database.transaction(reads_only=True) as tx:
            required = {**requirements(tx), "records_are_append_only": _triggers(tx)}
        shown = track(INVARIANTS.items(), "Checking", console=console, transient=True, disable=not console.is_terminal)
        for name, query in shown:
            with database.transaction(reads_only=True, patient=True) as tx:
                found[name] = check(tx, name, query)
    if as_json:
        of_database = [_document(name, Violation(name, 1, ()) if text else None) for name, text in required.items()]
        print_json([*(_document(name, violation) for name, violation in found.items()), *of_database])
    else:
        rows = [[name, *_told(violation)] for name, violation in found.items()]
        rows += [[name, text or "holds", ""] for name, text in required.items()]
        print_rows(("INVARIANT", "RESULT", "FIRST ROWS"), rows, nothing="")
    if any(found.values()) or any(required.values()):
        raise typer.Exit(REFUSED)


def _triggers(tx: sa.Connection) -> str:
    """What is wrong with the triggers on the records and what to do about it; empty where they are all there."""
    if tx.dialect.name == "mssql" and not tx.exec_driver_sql(_SEES_TRIGGERS).scalar_one():
        return "this identity may not see triggers; run check as the database's administrator"
    if tables := find_unprotected_tables(tx):
        return f"triggers are missing or changed on {', '.join(tables)}; run: alembic upgrade head"
    name = find_open_guard(tx)
    return f"{name} {_CLOSING[tx.dialect.name]}" if name else ""


def _told(violation: Violation | None) -> tuple[str, str]:
    if violation is None:
        return "holds", ""
    return f"{violation.count} violated", ", ".join(map(str, violation.ids))


def _document(name: str, violation: Violation | None) -> dict[str, object]:
    count, ids = (violation.count, list(violation.ids)) if violation else (0, [])
    return {"name": name, "holds": violation is None, "violations": count, "firstIds": ids}
