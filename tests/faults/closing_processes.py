"""Processes that close months; run as `python -m tests.faults.closing_processes`.

Reads a line for each round: an instant, and a crash point for each process. The processes are forked, and run the
hourly job as of that instant at the same time. A process gets SIGKILL just before its n-th statement (a COMMIT counts
as one), for 0 right after its first COMMIT that writes, which is the mark's, for -1 after the second, and never for
-99. Prints the exit codes.
"""

import datetime as dt
import gc
import os
import sys

from billing.closing.jobs import close_all_ended
from shared.app import build
from shared.jobs import JobFailed
from shared.settings import Settings
from tests.faults import crashing_host


NEVER = -99


def _close(instant: dt.datetime, point: int, begin: int) -> int:
    app = build(Settings.from_env(os.environ), now=lambda: instant)
    os.read(begin, 1)  # until all processes have started
    if point != NEVER:
        crashing_host.die_at(point)
    try:
        close_all_ended(app)
    except JobFailed:
        return 1
    return 0


def _round(instant: dt.datetime, points: list[int]) -> list[int]:
    begin, started = os.pipe()
    children = []
    for point in points:
        child = os.fork()
        if child == 0:
            os.close(started)
            os._exit(_close(instant, point, begin))
        children.append(child)
    os.close(started)
    os.close(begin)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def main() -> None:
    gc.freeze()
    for line in sys.stdin:
        instant, *points = line.split()
        ended = _round(dt.datetime.fromisoformat(instant), list(map(int, points)))
        print(*ended, flush=True)  # noqa: T201 - the test waits for it


if __name__ == "__main__":
    main()
