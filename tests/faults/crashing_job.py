"""Processes that run a job; run as `python -m tests.faults.crashing_job JOB`.

Reads one number a line, and forks a process for each. It gets SIGKILL just before its n-th statement (a COMMIT counts
as one), and never for 0. Prints the exit code.
"""

import gc
import os
import sys

from billing.metering.jobs import send_all
from privacy.erasure.flow import execute_due
from shared.app import build
from shared.settings import Settings
from tests.faults.crashing_host import die_before_statement


JOBS = {"erasures": execute_due, "usage": send_all}


def main(job: str) -> None:
    settings = Settings.from_env(os.environ)
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            if int(line):
                die_before_statement(int(line))
            JOBS[job](build(settings))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    main(sys.argv[1])
