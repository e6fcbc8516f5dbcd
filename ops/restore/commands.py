"""The commands `restore begin`, `status` and `accept`: a database that came back from a backup."""

import datetime as dt
from typing import Annotated, Any

import typer

from billing.metering.rules import TAKEN_FOR
from ops.billing.adopted import assigned_of
from ops.confirm import Asked, DryRun, Yes
from ops.exits import REFUSED, Refused
from ops.output import AsJson, aside, plain, print_fields, print_json, print_rows, shown
from ops.restore import accept as restore_accept
from ops.restore import store as restore_store
from ops.restore.accept import Accepting, opened_restored
from shared.app import App
from shared.restore import flow, store
from shared.restore.mark_client import of as mark_client_of
from shared.restore.model import Installation, MarkTableUnavailable, StoredMark


app = typer.Typer(help="After a restore: hold the database, see what waits, accept it.", no_args_is_help=True)


@app.command()
def begin(*, yes: Yes = False) -> None:
    """Hold everything that acts outward or removes, before the app starts on a copy; then: status, accept."""
    with opened_restored() as running:
        name = restore_accept.name_of(running)
        Asked(yes, dry_run=False, as_json=False).require_yes(f"Hold {name} until it is accepted?")
        with running.transaction() as tx:
            begun = store.begin(tx, now=running.now())
    if not begun:
        raise Refused(f"{name} is begun already; see: python -m ops restore status")
    aside().print(f"{name} is held. Starts, stops and reports go on; everything outward waits. Then: restore accept")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show whether the database is held, its mark and the one outside, and what waits; exit code 1 when it is held."""
    with opened_restored() as running:
        found = flow.read_installation(running)
        outside, word = _outside(running, found)
        with running.transaction(reads_only=True) as tx:
            waiting = restore_store.waiting(tx, found.mark.epoch, now=running.now())
        fields = _fields(found, outside, word)
        name = restore_accept.name_of(running)
    rows = [
        ("closed months to bill", waiting.due_tenants, None),
        ("usage to tell the meter", waiting.usage, _deadline(waiting.oldest_slot)),
        ("erasures that are due", waiting.erasures, None),
        ("work items to look through", waiting.work_items, None),
        ("changes to tell the store outside", waiting.changes, None),
    ]
    if as_json:
        counted = [{"what": what, "count": count, "until": plain(until)} for what, count, until in rows]
        print_json({"database": name, **{key: plain(value) for key, value in fields.items()}, "waiting": counted})
    else:
        print_fields(name, fields)
        print_rows(("WAITS", "COUNT", "TAKEN UNTIL (UTC)"), rows, nothing="")
    if found.is_held:
        raise typer.Exit(REFUSED)


@app.command()
def accept(
    assign: Annotated[
        list[str] | None,
        typer.Option(metavar="DAY=MONTH", help="count adopted usage of a day, 2026-11-03, for a month, 2026-10"),
    ] = None,
    *,
    other_is_off: Annotated[
        bool, typer.Option("--other-is-off", help="the database that was in use is off, though it was minutes ago")
    ] = False,
    without_store: Annotated[
        bool, typer.Option("--without-store", help="there is no store outside, or it cannot be reached")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take over what happened since the backup, and let everything go on; what fails leaves it held."""
    assigned = dict(map(assigned_of, assign or []))
    with opened_restored() as running:
        accepting = Accepting(running, assigned, other_is_off=other_is_off, without_store=without_store)
        planned = accepting.plan()
        _show(planned, as_json=as_json and dry_run)
        if dry_run:
            aside().print("A dry run: nothing was changed, and everything stays held.")
            return
        name = restore_accept.name_of(running)
        Asked(yes, dry_run, as_json).require_yes(f"Accept {name} as the one database of this installation?")
        done = accepting.carry_out(lambda line: aside().print(line, markup=False))
    if as_json:
        print_json(done)
    aside().print(f"{name} is accepted, and held no more.")


def _outside(running: App, found: Installation) -> tuple[StoredMark | None, str]:
    client = mark_client_of(running)
    if not client.is_on:
        return None, "off: ACTION_LOG_TABLE_ENDPOINT is not set, so a restore is not noticed by itself"
    try:
        outside = client.call(lambda there: there.read(found.public_id))
    except MarkTableUnavailable:
        return None, "cannot be reached"
    if outside is None:
        return None, "has never heard of this installation"
    return outside, "ahead of the database" if outside.mark > found.mark else "not ahead of the database"


def _fields(found: Installation, outside: StoredMark | None, word: str) -> dict[str, Any]:
    return {
        "heldSince": found.held_since,
        "heldReason": found.held_reason,
        "epoch": found.mark.epoch,
        "mark": found.mark.number,
        "markMovedAt": found.moved_at,
        "outside": word,
        "outsideEpoch": None if outside is None else outside.mark.epoch,
        "outsideMark": None if outside is None else outside.mark.number,
        "outsideSeenAt": None if outside is None else outside.seen_at,
        "restoredTo": found.restored_to,
        "acceptedAt": found.accepted_at,
    }


def _deadline(slot: dt.datetime | None) -> dt.datetime | None:
    """By when the oldest hour must be told, or needs another one."""
    return None if slot is None else slot + TAKEN_FOR


def _show(planned: list[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json([{"step": step, "finds": finds} for step, finds in planned])
    else:
        print_rows(("STEP", "FINDS"), ((step, shown(finds)) for step, finds in planned), nothing="")
