"""Processes that close months; run as `python -m tests.faults.closing_processes`.

Reads a line for each round: an instant, and a point for every process that is to run the hourly job as of it. All of
them begin at once. A process dies by SIGKILL just before its n-th statement (a COMMIT counts as one), for 0 right after
the first COMMIT of what it wrote, which is the mark's, for -1 after the second, and never for -99. Tells how each
ended. They are forked, as hosts that crash are.
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
    os.read(begin, 1)  # nothing comes, until all have been started
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
        print(*ended, flush=True)  # noqa: T201 - what the test waits for


if __name__ == "__main__":
    main()
