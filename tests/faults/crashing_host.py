"""Hosts that kill themselves at a chosen point of a request; run as `python -m tests.faults.crashing_host`.

Reads one number a line, and forks a host for each, which saves the imports. The host gets SIGKILL just before its n-th
statement; a COMMIT counts as one, and of reading statements only the first counts, except with `scripts/test --all`.
For 0 it crashes right after its first COMMIT that writes, before the response; for -1 after the second, and so on.
"""

import gc
import os
import signal
import sys
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

import function_app
from devcloud.functions import server
from tests.devcloud.processes import ROOT
from tests.support import budget


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_statement(number: int) -> None:
    """Crashes before the n-th statement; without `--all` only the first read counts, since reads change nothing."""
    left, is_first = number, True

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            _die()

    def sent(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal is_first
        if statement.startswith("SELECT set_config"):
            return  # sets the tenant: it changes no row, so a crash here equals one at the next statement
        if budget.ALL or is_first or not statement.startswith("SELECT"):
            count()
        is_first = False

    def ended(connection: sa.Connection) -> None:
        if budget.ALL or not _only_reads(connection):
            count()

    event.listen(sa.Engine, "before_cursor_execute", sent)
    event.listen(sa.Engine, "commit", ended)


def _die_after_commit(number: int) -> None:
    left = number

    def note(connection: sa.Connection) -> None:
        nonlocal left
        left -= not _only_reads(connection)

    def look(*_: Any) -> None:  # noqa: ANN401 - likewise
        if left <= 0:
            _die()

    event.listen(sa.Engine, "commit", note)
    event.listen(sa.pool.Pool, "reset", look)  # the connection returns to the pool after the COMMIT


def _only_reads(connection: sa.Connection) -> bool:
    return bool(connection.get_execution_options().get("reads_only", False))


def die_at(point: int) -> None:
    """Crashes before the n-th statement from now on, or, from 0 downwards, after a COMMIT."""
    die_before_statement(point) if point > 0 else _die_after_commit(1 - point)


def main() -> None:
    """Forks a host for each number; prints its process id, address and exit code."""
    assert function_app.app is not None
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(f"started {os.getpid()}", flush=True)  # noqa: T201 - the test waits for it
            die_at(int(line))
            server.serve(server.Options(ROOT, 0))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    main()
