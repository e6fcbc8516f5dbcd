"""The command `action-log rekey`: moves rows in Table Storage from tenants' row numbers to their random keys."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
import typer

from ops.confirm import DryRun, Yes, require_yes
from ops.database import Database, open_database
from ops.errors import CommandRejected, ServiceUnavailable, WrongUsage
from ops.output import AsJson, print_json, print_rows, stderr_console
from ops.restore_hold import require_not_held
from tenants.actions.log import key_store


if TYPE_CHECKING:
    from tenants.actions.log.tables import TablesActionLog

app = typer.Typer(help="The action log in Table Storage.", no_args_is_help=True, rich_markup_mode=None)
_ENDPOINT: Final = "ACTION_LOG_TABLE_ENDPOINT"
_COLUMNS: Final = ("TENANT", "ROWS")


@app.callback()
def _group() -> None:
    """Makes a single command a group."""


@app.command()
def rekey(*, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Move rows from a tenant's row number to its random key. Run it after the new version is deployed everywhere.

    Rows stay readable meanwhile. An interrupted run can be repeated.
    """
    with open_database(os.environ, _ENDPOINT) as database:
        log = _log(database)
        if not dry_run:
            require_not_held(database)
        with database.transaction(reads_only=True) as tx:
            tenants = key_store.tenants_with_numbered_log(tx)
        with _report_storage_errors():
            waiting = [(tenant_id, slug, log.count_numbered(tenant_id)) for tenant_id, slug in tenants]
            total = sum(rows for *_, rows in waiting)
            if not dry_run and waiting:
                require_yes(f"Move {total:,} rows to the random keys of their tenants?", yes=yes)
                _move(database, log, waiting, total)
    found = [(slug, rows) for _, slug, rows in waiting if rows]
    if as_json:
        print_json({"dryRun": dry_run, "moved": [{"tenant": slug, "rows": rows} for slug, rows in found]})
    else:
        print_rows(_COLUMNS, found, empty="No rows to move.")
        stderr_console().print("Dry run: nothing was moved." if dry_run else f"{total:,} rows were moved.")


def _move(database: Database, log: "TablesActionLog", waiting: list[tuple[int, str, int]], total: int) -> None:
    from rich.progress import Progress  # noqa: PLC0415 - slow to load, and few commands need it

    console = stderr_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Moving", total=total)
        for tenant_id, slug, _ in waiting:
            log.move(tenant_id, progress=partial(progress.advance, task))
            if left := log.count_numbered(tenant_id):
                raise CommandRejected(
                    f"{left:,} new rows of {slug} use its row number: the former version still runs; repeat this later"
                )
            with database.transaction() as tx:
                key_store.mark_moved(tx, tenant_id)


def _log(database: Database) -> "TablesActionLog":
    from tenants.actions.log.tables import TablesActionLog  # noqa: PLC0415 - slow to load, and few commands need it

    endpoint = database.settings.action_log_table_endpoint
    if not endpoint:
        raise WrongUsage(f"the action log is in the database, which needs no move; for Table Storage set {_ENDPOINT}")

    @contextmanager
    def transaction(*, reads_only: bool = False, tenant: int | None = None) -> Iterator[sa.Connection]:
        """The operator's transactions, for all tenants."""
        assert tenant is not None  # noqa: S101 - the log passes it
        with database.transaction(reads_only=reads_only) as tx:
            yield tx

    return TablesActionLog(endpoint, transaction)


@contextmanager
def _report_storage_errors() -> Iterator[None]:
    """Errors of the storage as one line."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - likewise

    from tenants.actions.log.tables import MoveFailed  # noqa: PLC0415 - likewise

    try:
        yield
    except MoveFailed as error:
        raise CommandRejected(str(error)) from error
    except AzureError as error:
        raise ServiceUnavailable(f"the storage failed; repeat the command: {type(error).__name__}") from error
