"""The commands `restore begin`, `status` and `accept`: a database restored from a backup."""

import datetime as dt
from typing import Annotated, Any

import typer

from billing.metering.rules import TAKEN_FOR
from ops.billing.adopted_usage import parse_assignment
from ops.confirm import DryRun, Yes, require_yes
from ops.errors import REJECTED, CommandRejected
from ops.output import AsJson, format_value, print_fields, print_json, print_rows, stderr_console, to_json
from ops.restore import accept as restore_accept
from ops.restore import store as restore_store
from ops.restore.accept import Acceptance, open_restored_app
from shared.app import App
from shared.restore import flow, store
from shared.restore.mark_client import of as mark_client_of
from shared.restore.model import Installation, MarkTableUnavailable, StoredMark


app = typer.Typer(
    help="A restored database: hold it, show pending work, accept it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def begin(*, yes: Yes = False) -> None:
    """Hold a restored database, before the app starts on it.

    While it is held, nothing acts outside and nothing is deleted.
    """
    with open_restored_app() as product:
        name = restore_accept.database_name(product)
        require_yes(f"Hold {name} until it is accepted?", yes=yes)
        with product.transaction() as tx:
            begun = store.begin(tx, now=product.now())
    if not begun:
        raise CommandRejected(f"{name} is held already; see: ops restore status")
    stderr_console().print(
        f"{name} is held: timers and reports work, outside actions wait. Next: ops restore status, ops restore accept"
    )


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show the hold, the marks and the pending work.

    Marks are compared with the restore store. Exit code 1 if the database is held.
    """
    with open_restored_app() as product:
        found = flow.read_installation(product)
        outside, comparison = _read_outside(product, found)
        with product.transaction(reads_only=True) as tx:
            waiting = restore_store.waiting(tx, found.mark.epoch, now=product.now())
        fields = _fields(found, outside, comparison)
        name = restore_accept.database_name(product)
    rows = [
        ("months to close", waiting.due_tenants, None),
        ("usage to report", waiting.usage, _deadline(waiting.oldest_slot)),
        ("due erasures", waiting.erasures, None),
        ("work items to check", waiting.work_items, None),
        ("changes for the restore store", waiting.changes, None),
    ]
    if as_json:
        counted = [{"what": name, "count": count, "until": to_json(until)} for name, count, until in rows]
        print_json({"database": name, **{key: to_json(value) for key, value in fields.items()}, "waiting": counted})
    else:
        print_fields(name, fields)
        print_rows(("PENDING", "COUNT", "ACCEPTED UNTIL (UTC)"), rows, empty="")
    if found.is_held:
        raise typer.Exit(REJECTED)


@app.command()
def accept(
    assign: Annotated[
        list[str] | None,
        typer.Option(metavar="DAY=MONTH", help="count adopted usage of a day for a month, like 2026-11-03=2026-10"),
    ] = None,
    *,
    other_is_off: Annotated[
        bool, typer.Option("--other-is-off", help="the former database is off, although it was used minutes ago")
    ] = False,
    without_store: Annotated[
        bool, typer.Option("--without-store", help="there is no restore store, or it cannot be reached")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Apply the changes since the backup, then end the hold.

    After a failure the database stays held.
    """
    assigned = dict(map(parse_assignment, assign or []))
    with open_restored_app() as product:
        acceptance = Acceptance(product, assigned, other_is_off=other_is_off, without_store=without_store)
        planned = acceptance.plan()
        _show(planned, as_json=as_json and dry_run)
        if dry_run:
            stderr_console().print("Dry run: nothing was changed; the database stays held.")
            return
        name = restore_accept.database_name(product)
        require_yes(f"Accept {name} as the one database of this installation?", yes=yes)
        done = acceptance.run(lambda line: stderr_console().print(line, markup=False))
    if as_json:
        print_json(done)
    stderr_console().print(f"{name} is accepted; the hold has ended.")


def _read_outside(product: App, found: Installation) -> tuple[StoredMark | None, str]:
    client = mark_client_of(product)
    if not client.is_on:
        return None, "off: ACTION_LOG_TABLE_ENDPOINT is not set, so a restore is not detected automatically"
    try:
        outside = client.call(lambda there: there.read(found.public_id))
    except MarkTableUnavailable:
        return None, "cannot be reached"
    if outside is None:
        return None, "does not know this installation"
    return outside, "ahead of the database" if outside.mark > found.mark else "not ahead of the database"


def _fields(found: Installation, outside: StoredMark | None, comparison: str) -> dict[str, Any]:
    return {
        "heldSince": found.held_since,
        "heldReason": found.held_reason,
        "epoch": found.mark.epoch,
        "mark": found.mark.number,
        "markMovedAt": found.moved_at,
        "outside": comparison,
        "outsideEpoch": None if outside is None else outside.mark.epoch,
        "outsideMark": None if outside is None else outside.mark.number,
        "outsideSeenAt": None if outside is None else outside.seen_at,
        "restoredTo": found.restored_to,
        "acceptedAt": found.accepted_at,
    }


def _deadline(slot: dt.datetime | None) -> dt.datetime | None:
    """The end of Microsoft's time limit for the oldest hour."""
    return None if slot is None else slot + TAKEN_FOR


def _show(planned: list[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json([{"step": step, "finds": finds} for step, finds in planned])
    else:
        print_rows(("STEP", "FINDS"), ((step, format_value(finds)) for step, finds in planned), empty="")
