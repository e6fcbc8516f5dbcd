"""The command `action-log rekey`: moves rows in Table Storage from row numbers to the random keys of their tenants."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
import typer

from ops.confirm import Asked, DryRun, Yes
from ops.database import Database, opened
from ops.exits import Refused, Unusable
from ops.held import refuse_if_held
from ops.output import AsJson, aside, print_json, print_rows
from tenants.actions.log import key_store


if TYPE_CHECKING:
    from tenants.actions.log.tables import TablesActionLog

app = typer.Typer(help="The log of what people did in the product, where it is in Table Storage.", no_args_is_help=True)
_ENDPOINT: Final = "ACTION_LOG_TABLE_ENDPOINT"
_COLUMNS: Final = ("TENANT", "ROWS")


@app.callback()
def _group() -> None:
    """One command is a group, too: its name stays when another comes."""


@app.command()
def rekey(*, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Move rows that are still under a tenant's row number; run it once the new version is everywhere.

    Every row can be read all the time. Interrupted, the next run goes on.
    """
    with opened(os.environ, _ENDPOINT) as database:
        log = _log(database)
        if not dry_run:
            refuse_if_held(database)
        with database.transaction(reads_only=True) as tx:
            tenants = key_store.tenants_with_numbered_log(tx)
        with _told():
            waiting = [(tenant_id, slug, log.count_numbered(tenant_id)) for tenant_id, slug in tenants]
            total = sum(rows for *_, rows in waiting)
            if not dry_run and waiting:
                Asked(yes, dry_run, as_json).require_yes(f"Move {total:,} rows to the keys of their tenants?")
                _move(database, log, waiting, total)
    found = [(slug, rows) for _, slug, rows in waiting if rows]
    if as_json:
        print_json({"dryRun": dry_run, "moved": [{"tenant": slug, "rows": rows} for slug, rows in found]})
    else:
        print_rows(_COLUMNS, found, nothing="No row is under a row number.")
        aside().print("A dry run: nothing was moved." if dry_run else f"{total:,} rows were moved.")


def _move(database: Database, log: "TablesActionLog", waiting: list[tuple[int, str, int]], total: int) -> None:
    from rich.progress import Progress  # noqa: PLC0415 - slow to load, and few commands need it

    console = aside()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Moving", total=total)
        for tenant_id, slug, _ in waiting:
            log.move(tenant_id, progress=partial(progress.advance, task))
            if left := log.count_numbered(tenant_id):
                raise Refused(f"{left:,} rows of {slug} came meanwhile: the former version still runs; try again later")
            with database.transaction() as tx:
                key_store.mark_moved(tx, tenant_id)


def _log(database: Database) -> "TablesActionLog":
    from tenants.actions.log.tables import TablesActionLog  # noqa: PLC0415 - slow to load, and few commands need it

    endpoint = database.settings.action_log_table_endpoint
    if not endpoint:
        raise Unusable(f"the action log is in the database, which has no such rows; set {_ENDPOINT} if it is not")

    @contextmanager
    def transaction(*, reads_only: bool = False, tenant: int | None = None) -> Iterator[sa.Connection]:
        """An operator's, which are about every tenant."""
        assert tenant is not None  # noqa: S101 - the log names it
        with database.transaction(reads_only=reads_only) as tx:
            yield tx

    return TablesActionLog(endpoint, transaction)


@contextmanager
def _told() -> Iterator[None]:
    """The storage's failures, in a line."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - likewise

    from tenants.actions.log.tables import MoveFailed  # noqa: PLC0415 - likewise

    try:
        yield
    except MoveFailed as error:
        raise Refused(str(error)) from error
    except AzureError as error:
        raise Unusable(f"the storage failed, and the next run goes on: {type(error).__name__}") from error
