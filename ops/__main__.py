"""The command line of operators: `scripts/ops COMMAND`; every error is one line on standard error and an exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from typer.exceptions import TyperException

from ops import action_log, billing, check, grant_access
from ops.audit import commands as audit
from ops.errors import REJECTED, WRONG_USAGE, CommandError
from ops.marketplace import commands as marketplace
from ops.privacy import erasures as privacy
from ops.restore import commands as restore
from ops.row_level_security import commands as row_level_security
from ops.tenants import commands as tenants
from ops.users import commands as users
from shared.http.openapi import VERSION
from shared.settings import describe_problem


HELP: Final = """The command line of TimeTracker's operators.

It works on the database that DATABASE_URL names (an SQLAlchemy URL; the SQLite file .data/timetracker.db by
default) and reads TRIAL_DAYS and TRIAL_USER_LIMIT as the app does. Before a command changes a tenant it shows the
change and asks; --yes skips the question, --dry-run only shows the change. Each change is recorded in the tenant's
audit log. Times are UTC.

\b
Exit codes:
  0  done
  1  rejected by a rule, cancelled, or a check found something
  2  wrong usage or settings
  3  not found
  4  the database or a service is unavailable
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(tenants.app, name="tenants")
app.add_typer(users.app, name="users")
app.add_typer(billing.app, name="billing")
app.add_typer(marketplace.app, name="marketplace")
app.add_typer(privacy.app, name="privacy")
app.add_typer(restore.app, name="restore")
app.add_typer(row_level_security.app, name="rls")
app.add_typer(action_log.app, name="action-log")
app.command("audit")(audit.command)
app.command("check")(check.command)
app.command("grant-access")(grant_access.command)


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer calls it
    if is_wanted:
        typer.echo(f"TimeTracker {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, by default that of the process; returns the exit code."""
    try:
        return app(arguments, standalone_mode=False, prog_name="ops") or 0
    except CommandError as error:
        return _report(str(error), error.code)
    except TyperException as error:
        return _report(_usage_problem(error), WRONG_USAGE)
    except typer.Abort:
        return _report("cancelled; nothing was changed", REJECTED)


def _usage_problem(error: TyperException) -> str:
    """Typer's message, with our words where its own are those of a validator."""
    if isinstance(error, typer.BadParameter) and isinstance(cause := error.__cause__, ValidationError):
        error.message = describe_problem(cause.errors()[0])
    return error.format_message()


def _report(message: str, code: int) -> int:
    """Prints the message as one line; the help for a missing command keeps its line breaks."""
    is_help = message.startswith("Usage:")
    typer.echo(message if is_help else f"ops: {' '.join(message.split())}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
