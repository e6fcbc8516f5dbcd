"""docs/performance.md: the tables of one run, the machine they come from, and how to read them."""

import os
import platform
import sqlite3
import sys
from importlib.metadata import version

from devcloud.bench.tables import Table


PACKAGES = ("azure-functions", "azure-functions-runtime", "SQLAlchemy", "PyJWT", "pydantic", "uvicorn")

_TEXT = """# Performance

Made by `{command}`; run it again to replace this page.

Nothing here is a promise: it is one machine, named below. What depends least on it is the **ratio**: the product and
the floor take turns, round by round, on the same kind of host. Where `others` is above a tenth, somebody else was using
the machine: then absolute figures are worth little, and the ratio of CPU more than that of latencies.

* **The floor** (`devcloud/bench/floor_app`) is the least a correct answer could cost on this server: it verifies the
  RS256 signature, does one SQLite transaction of one statement as durable as ours (WAL, `synchronous=FULL`), and
  nothing else. It holds no rule: no running-timer check, log, entry, days, plan, lock or Idempotency-Key.
* **The load** is a process of its own: one user per connection, alternating start and stop, each with a fresh
  Idempotency-Key, every answer checked (status and body), every latency counted. It is a closed loop: the next request
  waits for the answer. `load` is its share of one core; `others` is the share of all cores that neither it nor the
  server used, so that a noisy run shows.
* CPU is the server's processor time per request, in and outside the kernel.

Machine: {machine}.

## Start and stop

{pairs}

Ours over the floor, medians of {rounds} rounds, with the least and the most of any round:

{ratios}

Aim: start + stop within 1.5 times the floor on one connection.
{verdict}

{reading}## Where the time goes

The same calls in one process, without HTTP and without a second thread (medians):

{layers}

The edge is parsing, permission, problem and reply; service and store is all Python inside the transaction, SQLAlchemy
included; the commit is one write to the WAL and one wait for the disk.

Statements per call are exact in `tests/contract/test_statement_counts.py`: a warm start sends 4, a warm stop 7, a
report at most 5.

## The month's report

A tenant with 200 people, 12 projects and 24 months of entries; the admin's report of everyone, warm. The floor is the
same verified token and one bare `GROUP BY` over the same covering index, whatever the report.

{months}

Aim: under 50 ms warm for a tenant with 1,000,000 entries.
{month_verdict}

The cost follows the rows of the month and not the table: a thin month of 400 entries costs about the same in every
table. Nearly all of it is SQLite's: the sums by group come in the order of the index, but for the sums by day, which
every report carries, it sorts the month's rows. A second index would spare that and cost every stop another write.
"""

_READING = """Why it is not less: a start writes three tables and a stop six where the floor writes one, all of it
in one commit; both answer with a document that was validated field by field and kept for its Idempotency-Key. With
several connections the processor is the limit, so the ratio goes towards that of CPU per request. SQLite has one
writer, so starts and stops queue up; threads wait for a lock of ours, since SQLite's own wait sleeps up to 100 ms.

"""


def machine() -> str:
    """Cores, Python and the versions that matter; no names and no paths."""
    cores = f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}"
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{cores}, {python},\n" + ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def command() -> str:
    return " ".join(["scripts/bench", *sys.argv[1:]])


def document(*, tables: dict[str, Table], rounds: int, pair_verdict: str, month_verdict: str) -> str:
    return _TEXT.format(
        command=command(),
        machine=machine(),
        rounds=rounds,
        verdict=pair_verdict,
        month_verdict=month_verdict,
        reading=_READING,
        **{name: table.markdown() for name, table in tables.items()},
    )


def sentence(what: str, value: float, aim: float, unit: str) -> str:
    """Whether an aim is met, in plain words."""
    held = "met" if value <= aim else "**missed**"
    return f"{what} {value:.2f}{unit}: {held}."
