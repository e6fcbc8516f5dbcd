"""The command line of operators: `python -m ops COMMAND`; every failure is one line on stderr and an exit code."""

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from ops import action_log, admission, billing, check
from ops.audit import commands as audit
from ops.exits import REFUSED, UNUSABLE, Ended
from ops.marketplace import commands as purchases
from ops.privacy import erasures as privacy
from ops.restore import commands as restore
from ops.row_level_security import commands as wall
from ops.tenants import commands as tenants
from ops.users import commands as users


HELP = """TimeTracker for its operators: tenants, plans, people, and whether the data is sound.

Works on the database that DATABASE_URL names (SQLAlchemy URL; a SQLite file under .data/ when unset), and \
reads TRIAL_DAYS and TRIAL_USER_LIMIT as the app does. What changes a tenant is shown first, asks, and is put \
on the tenant's audit log; --yes answers, --dry-run only shows. Times are UTC.

Exit codes: 0 done; 1 a rule or the operator said no, or check found something; 2 wrong usage, or the \
database cannot be used.
"""

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(tenants.app, name="tenants")
app.add_typer(users.app, name="users")
app.add_typer(billing.app, name="billing")
app.add_typer(purchases.app, name="marketplace")
app.add_typer(privacy.app, name="privacy")
app.add_typer(restore.app, name="restore")
app.add_typer(wall.app, name="wall")
app.add_typer(action_log.app, name="action-log")
app.command("audit")(audit.command)
app.command("check")(check.command)
app.command("admit")(admission.command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, that of the process unless one is given; the exit code."""
    try:
        return app(arguments, standalone_mode=False, prog_name="python -m ops") or 0
    except Ended as ended:
        return _tell(str(ended), ended.code)
    except TyperException as error:
        return _tell(error.format_message(), UNUSABLE)
    except typer.Abort:
        return _tell("nothing was changed", REFUSED)


def _tell(line: str, code: int) -> int:
    """In one line, whatever lines the words came in; there are none where help was printed instead."""
    if line:
        typer.echo(f"ops: {' '.join(line.replace('Value error, ', '').split())}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
