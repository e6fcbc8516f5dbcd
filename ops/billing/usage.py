"""The commands `billing send-usage` and `billing reconcile`: usage reported to the Marketplace."""

import dataclasses
from typing import Annotated, Any, Final

import typer

from billing.metering import reconcile_flow, reconcile_store, reschedule_service
from billing.metering.flow import meter_of, send_due
from billing.metering.model import Sent, UsageState
from billing.metering.reconcile_rules import Entry, Mismatch, RescheduleRefused
from ops.confirm import ChangeOptions, DryRun, ProposedChange, Yes
from ops.database import Database
from ops.errors import REJECTED, CommandRejected, ItemNotFound, WrongUsage
from ops.marketplace.app import open_metered_app
from ops.output import AsJson, Fields, print_json, print_rows, stderr_console
from ops.restore_hold import require_not_held
from ops.tenants.commands import find_tenant
from ops.work import operator_work
from shared.app import App


_COLUMNS: Final = ("EVENT", "TENANT", "MONTH", "USERS", "HOUR (UTC)", "STATE", "RESULT", "TRIES")
_DIFFERENCES: Final = ("DAY", "DIFFERENCE", "TENANT", "SUBSCRIPTION", "DIMENSION", "HERE", "MICROSOFT")


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command("send-usage")(send_usage)
    app.command("reconcile")(reconcile)


def send_usage(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only this tenant: slug or id")] = None,
    reschedule: Annotated[
        int | None, typer.Option(metavar="EVENT", min=1, help="first set a new hour for an event in alarm")
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Report pending usage to the Marketplace.

    Then list the events that are not accepted; exit code 1 if something needs attention.
    """
    if tenant is not None and reschedule is not None:
        raise WrongUsage("--reschedule names one event of one tenant; remove --tenant")
    with open_metered_app() as app:
        if not dry_run:
            require_not_held(app)
        tenant_id = None if tenant is None else find_tenant(Database(app.engine, app.settings), tenant).tenant.id
        if reschedule is not None:
            tenant_id = _reschedule(app, reschedule, ChangeOptions(yes, dry_run, as_json=False))
        sent = Sent() if dry_run else _send(app, tenant_id)
        with app.transaction(reads_only=True) as tx:
            left = reconcile_store.not_accepted(tx, tenant_id)
    if as_json:
        print_json({"sent": dataclasses.asdict(sent), "notAccepted": [_document(entry) for entry in left]})
    else:
        print_rows(_COLUMNS, (tuple(_document(entry).values()) for entry in left), empty="All usage is accepted.")
        stderr_console().print("Dry run: nothing was sent." if dry_run else _summary(sent))
    if sent.failed or any(entry.event.state is UsageState.ALARM for entry in left):
        raise typer.Exit(REJECTED)


def reconcile(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only this tenant: slug or id")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare Microsoft's list of usage with our accepted events.

    Exit code 1 if they differ.
    """
    with open_metered_app() as app:
        only = None if tenant is None else find_tenant(Database(app.engine, app.settings), tenant).tenant.public_id
        found = [each for each in reconcile_flow.reconcile(app) if only in {None, each.tenant}]
    if as_json:
        print_json([_difference(each) for each in found])
    else:
        rows = (tuple(_difference(each).values()) for each in found)
        print_rows(_DIFFERENCES, rows, empty="No differences.")
    if found:
        raise typer.Exit(REJECTED)


def _send(app: App, tenant_id: int | None) -> Sent:
    from rich.progress import Progress  # noqa: PLC0415 - slow to load, and few commands need it

    console = stderr_console()
    with app.transaction(reads_only=True) as tx:
        entries = reconcile_store.not_accepted(tx, tenant_id)
    total = sum(1 for entry in entries if entry.event.state is not UsageState.ALARM)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Sending", total=total)
        return send_due(app, tenant_id=tenant_id, progress=lambda tried: progress.advance(task, tried))


def _reschedule(app: App, event_id: int, options: ChangeOptions) -> int:
    """Sets a new hour, if the operator confirms; returns the tenant of the event.

    Raises:
        CommandRejected: the event cannot be rescheduled, or the operator cancelled.
        ItemNotFound: there is no such pending event.
    """
    meter = meter_of(app)
    with app.transaction(reads_only=True) as tx:
        entry = reconcile_store.find(tx, event_id)
    if entry is None or meter is None:
        raise ItemNotFound(f"there is no pending event {event_id}; see: ops billing send-usage --dry-run")
    try:
        reconcile_flow.ensure_never_reported(app, meter, entry)
        with app.transaction(reads_only=True) as tx:
            hour = reschedule_service.new_hour(tx, entry, now=app.now())
        before = {"plan": entry.event.usage.plan_id, "state": entry.event.state, "hour": entry.event.usage.slot}
        after = {"plan": entry.plan_id, "state": UsageState.PENDING, "hour": hour}
        change = ProposedChange.between(entry.slug, before, after)
        if change.confirm(options):
            with operator_work(app, entry.event.tenant_id) as work:
                reschedule_service.reschedule(work, entry, hour)
            change.report(options, changed=True)
    except RescheduleRefused as error:
        raise CommandRejected(str(error)) from error
    return entry.event.tenant_id


def _document(entry: Entry) -> Fields:
    event = entry.event
    return {
        "event": event.id,
        "tenant": entry.slug,
        "month": str(entry.month),
        "users": event.usage.quantity,
        "hour": event.usage.slot,
        "state": event.state,
        "result": entry.last_result,
        "tries": event.attempts,
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


def _summary(sent: Sent) -> str:
    failed = f"; {sent.failed} batches or tenants failed" if sent.failed else ""
    return (
        f"{sent.accepted} accepted, {sent.waiting} to be sent again, {sent.held} held, {sent.alarms} in alarm{failed}."
    )
