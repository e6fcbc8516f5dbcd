"""The command `billing adopted`: usage that the meter had when a backup was restored, and the months it counts for."""

import datetime as dt
import os
import re
from typing import Annotated, Any, Final

import typer

from billing.adoption import service as adoption_service
from billing.adoption import store as adoption_store
from billing.adoption.rules import NotAdopted
from billing.adoption.store import AdoptedRow
from ops.billing.closing import locked_work
from ops.confirm import Asked, DryRun, Yes
from ops.database import Database, opened
from ops.exits import Refused, Unusable
from ops.output import AsJson, print_json, print_rows
from ops.tenants.commands import find
from shared.calendar import Month


_COLUMNS: Final = ("DAY", "USERS", "MONTH", "PLAN", "DIMENSION", "SUBSCRIPTION", "ADOPTED (UTC)")
_ASSIGNED: Final = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})=([0-9]{4})-(0[1-9]|1[0-2])\Z")


def register(app: typer.Typer) -> None:
    """Adds the command to its group."""
    app.command("adopted")(adopted)


def assigned_of(text: str) -> tuple[dt.date, Month]:
    """A day of UTC and the month that its adopted usage counts for, of `2026-11-03=2026-10`.

    Raises:
        Unusable: it is none.
    """
    found = _ASSIGNED.match(text)
    try:
        if found is not None:
            return dt.date.fromisoformat(found[1]), Month(int(found[2]), int(found[3]))
    except ValueError:
        pass
    raise Unusable(f"--assign {text!a} is not a day and a month, like 2026-11-03=2026-10")


def adopted(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="slug or id")],
    assign: Annotated[
        str | None,
        typer.Option(metavar="DAY=MONTH", help="have usage of a day that counts for no month count for one"),
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """List a tenant's adopted usage, which counts as sent; a bill of its month owes the meter only the rest."""
    chosen = None if assign is None else assigned_of(assign)
    with opened(os.environ) as database:
        account = find(database, tenant).tenant
        if chosen is not None:
            question = f"Have the usage of {chosen[0]} count for {chosen[1]}?"
            if not dry_run:
                Asked(yes, dry_run, as_json).require_yes(question)
            _assign(database, account.id, *chosen, keep=not dry_run)
        with database.transaction(reads_only=True) as tx:
            rows = adoption_store.of_tenant(tx, account.id)
    if as_json:
        print_json([_document(row) for row in rows])
    else:
        print_rows(_COLUMNS, (tuple(_document(row).values()) for row in rows), nothing="No usage was adopted.")


def _assign(database: Database, tenant_id: int, day: dt.date, month: Month, *, keep: bool) -> None:
    try:
        with database.transaction() as tx:
            adoption_service.assign(locked_work(tx, tenant_id), day, month)
            if not keep:
                tx.rollback()
    except NotAdopted as error:
        raise Refused(f"{error}; nothing was changed") from error


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
