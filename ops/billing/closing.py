"""The commands `billing close` and `billing preview`: ended months, and the current one."""

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from billing.closing import service
from billing.closing.model import Record
from billing.closing.service import Closing
from ops.billing.views import BILL_COLUMNS, LINE_COLUMNS, bill_document, bill_row, preview_document
from ops.confirm import DryRun, Yes, require_yes
from ops.database import Database, describe_error, open_database
from ops.errors import REJECTED, CommandRejected, WrongUsage
from ops.output import AsJson, Fields, print_fields, print_json, print_rows, stderr_console
from ops.restore_hold import require_not_held
from ops.tenants.commands import find_tenant
from ops.work import work_in
from shared import clock
from shared.db.retry import RetryPolicy, for_jobs
from shared.instants import parse_rfc3339
from shared.tenancy.store import read_tenant


if TYPE_CHECKING:
    from rich.progress import Progress

DIMENSION: Final = "MARKETPLACE_METERING_DIMENSION"


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command("close")(close)
    app.command("preview")(preview)


def operator_closing(database: Database, *, as_of: dt.datetime | None = None) -> Closing:
    return Closing(database.settings.marketplace_metering_dimension, as_of)


def close(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only this tenant: slug or id")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="only months that ended before INSTANT, in RFC 3339"),
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Close all ended months, as the hourly job does.

    Exit code 1 if a tenant failed. Each tenant has its own transaction, so an interrupted run can be repeated.
    """
    ended_by = _parse_instant(as_of)
    with open_database(os.environ, DIMENSION) as database:
        closing = operator_closing(database, as_of=ended_by)
        tenant_ids = _find_unbilled(database, tenant, closing)
        run = _Run(database, closing, dry_run=dry_run)
        if tenant_ids:
            stderr_console().print(f"{_count(len(tenant_ids), 'tenant')} with months to close.")
            if not dry_run:
                require_not_held(database)
                require_yes("Close them?", yes=yes)
            run.close_all(tenant_ids)
    _report(run, as_json=as_json)
    if run.failed or run.left:
        raise typer.Exit(REJECTED)


def preview(
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="slug or id of the tenant")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a tenant's bill for the current month so far."""
    with open_database() as database:
        account = find_tenant(database, tenant)
        with database.transaction(reads_only=True) as tx:
            bill = service.preview(work_in(tx, account.tenant.id, locks_tenant=False))
    if bill is None:
        raise CommandRejected(f"{account.tenant.slug} has no paid subscription, so there is no current month")
    document = preview_document(bill, account.tenant.slug)
    if as_json:
        print_json(document)
        return
    print_fields(account.tenant.name, {name: value for name, value in document.items() if name != "lines"})
    print_rows(LINE_COLUMNS, (tuple(line.values()) for line in document["lines"]), empty="No active users yet.")


@dataclass(slots=True)
class _Run:
    """Closes one tenant after the other, each in its own transaction, as the job does; a dry run rolls each back."""

    database: Database
    closing: Closing
    dry_run: bool
    closed: list[Fields] = field(default_factory=list)
    failed: list[Fields] = field(default_factory=list)
    left: int = 0
    retry: RetryPolicy = field(default_factory=for_jobs)
    _slugs: dict[int, str] = field(default_factory=dict)

    def close_all(self, tenant_ids: list[int]) -> None:
        """Ctrl-C rolls back the current tenant and leaves the others to the next run."""
        with _progress() as progress:
            task = progress.add_task("Closing", total=len(tenant_ids))
            try:
                for number, tenant_id in enumerate(tenant_ids):
                    self.left = len(tenant_ids) - number
                    self._close(tenant_id)
                    progress.advance(task)
                self.left = 0
            except KeyboardInterrupt:
                progress.stop()

    def _close(self, tenant_id: int) -> None:
        try:
            records = self.retry.run(lambda: self._records(tenant_id))
        except Exception as error:  # noqa: BLE001 - one tenant's failure must not affect the others
            self.failed.append({"tenant": self._slugs.get(tenant_id, str(tenant_id)), "error": describe_error(error)})
        else:
            self.closed += [bill_document(record, self._slugs[tenant_id]) for record in records]

    def _records(self, tenant_id: int) -> list[Record]:
        with self.database.attempt() as tx:
            self._slugs[tenant_id] = read_tenant(tx, tenant_id).slug  # also for the error of a locked tenant
            work = work_in(tx, tenant_id, locks_tenant=True)
            records = service.close_tenant(work, self.closing)
            if self.dry_run:
                tx.rollback()
        return records


def _find_unbilled(database: Database, name: str | None, closing: Closing) -> list[int]:
    with database.transaction(reads_only=True, without_limit=True) as tx:
        unbilled = service.due_tenants(tx, closing.as_of or clock.now())
    if name is None:
        return unbilled
    only = find_tenant(database, name).tenant.id
    return [tenant_id for tenant_id in unbilled if tenant_id == only]


def _report(run: _Run, *, as_json: bool) -> None:
    if as_json:
        print_json({"closed": run.closed, "failed": run.failed, "left": run.left, "dryRun": run.dry_run})
    else:
        print_rows(BILL_COLUMNS, map(bill_row, run.closed), empty="Nothing to close.")
    for each in run.failed:
        stderr_console().print(f"{each['tenant']}: {each['error']}", markup=False)
    if run.left:
        stderr_console().print(f"Interrupted: {_count(run.left, 'tenant')} left; repeat the command to continue.")
    if run.dry_run and run.closed:
        stderr_console().print("Dry run: nothing was closed.")


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _parse_instant(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        instant = parse_rfc3339(text)
    except ValueError as error:
        raise WrongUsage(f"--as-of {text!a} {error}") from None
    if instant > clock.now():
        raise WrongUsage(f"--as-of {text} is in the future; only an ended month can be closed")
    return instant


@contextmanager
def _progress() -> Iterator["Progress"]:
    """Progress, speed and remaining time, on a terminal only."""
    from rich import progress  # noqa: PLC0415 - slow to load, and few commands need it

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> str:
            return f"{task.speed or 0:,.0f}/s"

    console = stderr_console()
    columns: Iterable[Any] = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        yield shown
