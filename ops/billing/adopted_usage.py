"""The command `billing adopted-usage`: usage that Microsoft had after a restore, and the months it counts for."""

import datetime as dt
import os
import re
from typing import Annotated, Any, Final

import typer

from billing.adoption import service as adoption_service
from billing.adoption import store as adoption_store
from billing.adoption.rules import NotAdopted
from billing.adoption.store import AdoptedRow
from ops.confirm import DryRun, Yes, require_yes
from ops.database import Database, open_database
from ops.errors import CommandRejected, WrongUsage
from ops.output import AsJson, print_json, print_rows
from ops.tenants.commands import find_tenant
from ops.work import operator_work
from shared.calendar import Month


_COLUMNS: Final = ("DAY", "USERS", "MONTH", "PLAN", "DIMENSION", "SUBSCRIPTION", "ADOPTED (UTC)")
_ASSIGNMENT: Final = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})=([0-9]{4})-(0[1-9]|1[0-2])\Z")


def register(app: typer.Typer) -> None:
    """Adds the command to its group."""
    app.command("adopted-usage")(adopted_usage)


def parse_assignment(text: str) -> tuple[dt.date, Month]:
    """The day (UTC) and the month of `2026-11-03=2026-10`.

    Raises:
        WrongUsage: it is not of this form.
    """
    found = _ASSIGNMENT.match(text)
    try:
        if found is not None:
            return dt.date.fromisoformat(found[1]), Month(int(found[2]), int(found[3]))
    except ValueError:
        pass
    raise WrongUsage(f"--assign {text!a} is not a day and a month, like 2026-11-03=2026-10")


def adopted_usage(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="slug or id of the tenant")],
    assign: Annotated[
        str | None,
        typer.Option(metavar="DAY=MONTH", help="count the usage of DAY for MONTH, if it counts for no month"),
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """List a tenant's adopted usage.

    It counts as reported: only the rest of its month is reported.
    """
    chosen = None if assign is None else parse_assignment(assign)
    with open_database(os.environ) as database:
        account = find_tenant(database, tenant).tenant
        if chosen is not None:
            question = f"Count the usage of {chosen[0]} for {chosen[1]}?"
            if not dry_run:
                require_yes(question, yes=yes)
            _assign(database, account.id, *chosen, dry_run=dry_run)
        with database.transaction(reads_only=True) as tx:
            rows = adoption_store.adopted_of_tenant(tx, account.id)
    if as_json:
        print_json([_document(row) for row in rows])
    else:
        print_rows(_COLUMNS, (tuple(_document(row).values()) for row in rows), empty="No adopted usage.")


def _assign(database: Database, tenant_id: int, day: dt.date, month: Month, *, dry_run: bool) -> None:
    try:
        with operator_work(database, tenant_id, locks_tenant=True) as work:
            adoption_service.assign(work, day, month)
            if dry_run:
                work.tx.rollback()
    except NotAdopted as error:
        raise CommandRejected(f"{error}; nothing was changed") from error


def _document(row: AdoptedRow) -> dict[str, Any]:
    return {
        "day": row.day.isoformat(),
        "users": row.quantity,
        "month": None if row.month is None else str(row.month),
        "plan": row.plan_id,
        "dimension": row.dimension,
        "subscription": row.marketplace_id,
        "adoptedAt": row.adopted_at,
    }
