"""The commands `billing send-usage` and `billing reconcile`: what the meter is owed, and what it has."""

import dataclasses
from typing import Annotated, Any, Final

import typer

from billing.metering import reconcile_flow, reconcile_store, reschedule_service
from billing.metering.flow import meter_of, send_due
from billing.metering.model import Sent, UsageState
from billing.metering.reconcile_rules import Entry, Mismatch, NotReslotted
from ops.confirm import Asked, Change, DryRun, Yes
from ops.database import Database
from ops.exits import REFUSED, Refused, Unusable
from ops.held import refuse_if_held
from ops.marketplace.app import opened_metered
from ops.output import AsJson, Fields, aside, print_json, print_rows
from ops.tenants.commands import find
from shared.app import App


_COLUMNS: Final = ("EVENT", "TENANT", "MONTH", "USERS", "HOUR (UTC)", "STATE", "RESULT", "TRIES")
_DIFFERENCES: Final = ("DAY", "DIFFERENCE", "TENANT", "SUBSCRIPTION", "DIMENSION", "OURS", "THE METER'S")


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command("send-usage")(send_usage)
    app.command("reconcile")(reconcile)


def send_usage(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only its events: slug or id")] = None,
    reslot: Annotated[
        int | None, typer.Option(metavar="EVENT", min=1, help="give an event in alarm a new hour first")
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Tell the meter what is owed, and list what has not arrived; exit code 1 when something needs a look."""
    if tenant is not None and reslot is not None:
        raise Unusable("--reslot names one event of one tenant; leave out --tenant")
    with opened_metered() as app:
        if not dry_run:
            refuse_if_held(app)
        tenant_id = None if tenant is None else find(Database(app.engine, app.settings), tenant).tenant.id
        if reslot is not None:
            tenant_id = _reslotted(app, reslot, Asked(yes, dry_run, as_json=False))
        sent = Sent() if dry_run else _sent(app, tenant_id)
        with app.transaction(reads_only=True) as tx:
            left = reconcile_store.not_accepted(tx, tenant_id)
    if as_json:
        print_json({"sent": dataclasses.asdict(sent), "notAccepted": [_document(entry) for entry in left]})
    else:
        print_rows(_COLUMNS, (tuple(_document(entry).values()) for entry in left), nothing="Everything has arrived.")
        aside().print("A dry run: nothing was sent." if dry_run else _told(sent))
    if sent.failed or any(entry.event.state is UsageState.ALARM for entry in left):
        raise typer.Exit(REFUSED)


def reconcile(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only its differences: slug or id")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare what the meter lists with what has arrived by our records; exit code 1 for a difference."""
    with opened_metered() as app:
        only = None if tenant is None else find(Database(app.engine, app.settings), tenant).tenant.public_id
        found = [each for each in reconcile_flow.reconcile(app) if only in {None, each.tenant}]
    if as_json:
        print_json([_difference(each) for each in found])
    else:
        rows = (tuple(_difference(each).values()) for each in found)
        print_rows(_DIFFERENCES, rows, nothing="The meter has what it was told.")
    if found:
        raise typer.Exit(REFUSED)


def _sent(app: App, tenant_id: int | None) -> Sent:
    from rich.progress import Progress  # noqa: PLC0415 - slow to load, and few commands need it

    console = aside()
    with app.transaction(reads_only=True) as tx:
        entries = reconcile_store.not_accepted(tx, tenant_id)
    total = sum(1 for entry in entries if entry.event.state is not UsageState.ALARM)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Sending", total=total)
        return send_due(app, tenant_id=tenant_id, progress=lambda tried: progress.advance(task, tried))


def _reslotted(app: App, event_id: int, asked: Asked) -> int:
    """The tenant of the event, which has a new hour when the operator agreed.

    Raises:
        Refused: the event, or the operator, says no.
    """
    meter = meter_of(app)
    with app.transaction(reads_only=True) as tx:
        entry = reconcile_store.find(tx, event_id)
    if entry is None or meter is None:
        raise Unusable(f"there is no event {event_id} that is owed; see: python -m ops billing send-usage --dry-run")
    try:
        reconcile_flow.require_never_taken(app, meter, entry)
        with app.transaction(reads_only=True) as tx:
            hour = reschedule_service.new_hour(tx, entry, now=app.now())
        before = {"plan": entry.event.usage.plan_id, "state": entry.event.state, "hour": entry.event.usage.slot}
        after = {"plan": entry.plan_id, "state": UsageState.PENDING, "hour": hour}
        change = Change.between(entry.slug, before, after)
        if change.agreed(asked):
            with app.transaction() as tx:
                reschedule_service.reslot(tx, entry, hour, now=app.now(), row_id=app.new_id())
            change.report(asked, changed=True)
    except NotReslotted as refused:
        raise Refused(str(refused)) from refused
    return entry.event.tenant_id


def _document(entry: Entry) -> Fields:
    owed = entry.event
    return {
        "event": owed.id,
        "tenant": entry.slug,
        "month": str(entry.month),
        "users": owed.usage.quantity,
        "hour": owed.usage.slot,
        "state": owed.state,
        "result": entry.last_result,
        "tries": owed.attempts,
    }


def _difference(found: Mismatch) -> dict[str, Any]:
    return {
        "day": found.day.isoformat(),
        "difference": found.difference,
        "tenant": found.tenant,
        "subscription": found.subscription_id,
        "dimension": found.dimension,
        "ours": found.ours,
        "theMeters": found.theirs,
    }


def _told(sent: Sent) -> str:
    failed = f"; {sent.failed} batches or tenants failed" if sent.failed else ""
    return (
        f"{sent.accepted} arrived, {sent.waiting} to be sent again, {sent.held} held, {sent.alarms} in alarm{failed}."
    )
