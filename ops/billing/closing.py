"""The commands `billing close` and `billing preview`: months that have ended, and the one that runs."""

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

import sqlalchemy as sa
import typer

from billing.closing import service
from billing.closing.model import Record
from billing.closing.service import Closing
from ops.billing.views import BILL_COLUMNS, LINE_COLUMNS, bill_document, bill_row, preview_document
from ops.confirm import Asked, DryRun, Yes
from ops.database import Database, opened, reason
from ops.exits import REFUSED, Refused, Unusable
from ops.held import refuse_if_held
from ops.output import AsJson, Fields, aside, print_fields, print_json, print_rows
from ops.tenants.commands import find
from shared import clock
from shared.db.retry import RetryPolicy, for_jobs
from shared.instants import parse_rfc3339
from shared.tenancy.store import lock_tenant
from shared.work import OPERATOR, Work


if TYPE_CHECKING:
    from rich.progress import Progress

DIMENSION: Final = "MARKETPLACE_METERING_DIMENSION"


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command("close")(close)
    app.command("preview")(preview)


def closing_of(database: Database, *, as_of: dt.datetime | None = None) -> Closing:
    return Closing(database.settings.marketplace_metering_dimension, as_of)


def locked_work(tx: sa.Connection, tenant_id: int) -> Work:
    """The Work of an operator's command about a tenant, which it locks."""
    return Work(tx, lock_tenant(tx, tenant_id), OPERATOR, clock.now(), clock.new_id)


def close(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only its months: slug or id")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="only months that had ended by then, in RFC 3339"),
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Close every month that has ended and is not closed, as the hourly job does; exit code 1 when a tenant failed.

    Each tenant is committed by itself, so a run that is interrupted is gone on with by the next.
    """
    ended_by = _instant(as_of)
    with opened(os.environ, DIMENSION) as database:
        closing = closing_of(database, as_of=ended_by)
        owing = _owing(database, tenant, closing)
        run = _Run(database, closing, dry_run=dry_run)
        if owing:
            aside().print(f"{_counted(len(owing), 'tenant')} with months to close.")
            if not dry_run:
                refuse_if_held(database)
                Asked(yes, dry_run, as_json).require_yes("Close them?")
            run.close_all(owing)
    _report(run, as_json=as_json)
    if run.failed or run.left:
        raise typer.Exit(REFUSED)


def preview(
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="slug or id")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what the running month of a tenant comes to so far."""
    with opened() as database:
        account = find(database, tenant)
        with database.transaction(reads_only=True) as tx:
            bill = service.preview(tx, account.tenant, now=clock.now())
    if bill is None:
        raise Refused(f"{account.tenant.slug} pays for nothing now, so no month is running")
    document = preview_document(bill, account.tenant.slug)
    if as_json:
        print_json(document)
        return
    print_fields(account.tenant.name, {name: value for name, value in document.items() if name != "lines"})
    print_rows(LINE_COLUMNS, (tuple(line.values()) for line in document["lines"]), nothing="Nobody was active yet.")


@dataclass(slots=True)
class _Run:
    """One tenant after the other, each in a transaction of its own, as the job does; a dry run undoes each."""

    database: Database
    closing: Closing
    dry_run: bool
    closed: list[Fields] = field(default_factory=list)
    failed: list[Fields] = field(default_factory=list)
    left: int = 0
    retry: RetryPolicy = field(default_factory=for_jobs)
    _slugs: dict[int, str] = field(default_factory=dict)

    def close_all(self, tenant_ids: list[int]) -> None:
        """Ctrl-C undoes the tenant at hand and leaves the others to the next run."""
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
        except Exception as error:  # noqa: BLE001 - one tenant's failure must not reach the others
            self.failed.append({"tenant": self._slugs.get(tenant_id, str(tenant_id)), "error": reason(error)})
        else:
            self.closed += [bill_document(record, self._slugs[tenant_id]) for record in records]

    def _records(self, tenant_id: int) -> list[Record]:
        with self.database.attempt() as tx:
            work = locked_work(tx, tenant_id)
            self._slugs[tenant_id] = work.tenant.slug
            records = service.close_tenant(work, self.closing)
            if self.dry_run:
                tx.rollback()
        return records


def _owing(database: Database, name: str | None, closing: Closing) -> list[int]:
    with database.transaction(reads_only=True, patient=True) as tx:
        owing = service.due_tenants(tx, closing.as_of or clock.now())
    if name is None:
        return owing
    only = find(database, name).tenant.id
    return [tenant_id for tenant_id in owing if tenant_id == only]


def _report(run: _Run, *, as_json: bool) -> None:
    if as_json:
        print_json({"closed": run.closed, "failed": run.failed, "left": run.left, "dryRun": run.dry_run})
    else:
        print_rows(BILL_COLUMNS, map(bill_row, run.closed), nothing="Nothing to close.")
    for each in run.failed:
        aside().print(f"{each['tenant']}: {each['error']}", markup=False)
    if run.left:
        aside().print(f"Interrupted: {_counted(run.left, 'tenant')} left; run it again to go on.")
    if run.dry_run and run.closed:
        aside().print("A dry run: nothing was closed.")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _instant(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        instant = parse_rfc3339(text)
    except ValueError as error:
        raise Unusable(f"--as-of {text!a} {error}") from None
    if instant > clock.now():
        raise Unusable(f"--as-of {text} is still to come; a month is closed when it has ended")
    return instant


@contextmanager
def _progress() -> Iterator["Progress"]:
    """How far it is, how fast, and how long it will take; on a terminal only."""
    from rich import progress  # noqa: PLC0415 - slow to load, and few commands need it

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> str:
            return f"{task.speed or 0:,.0f}/s"

    console = aside()
    columns: Iterable[Any] = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        yield shown
