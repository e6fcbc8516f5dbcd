"""docs/performance.md: the tables of one run, the machine they come from, and how to read them."""

import os
import platform
import sys
from importlib.metadata import version

from devcloud.bench.parts import Found


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
{pairs_verdict}

{reading}## Where the time goes

The same calls in one process, without HTTP and without a second thread (medians, SQLite):

{layers}

The edge is parsing, permission, problem and reply; service and store is all Python inside the transaction, SQLAlchemy
included; the commit is one write to the WAL and one wait for the disk.

Statements per call are exact in `tests/contract/test_statement_counts.py`: a warm start sends 4, a warm stop 7, a
report 2.

## The month's report

One tenant with 1,000,000 entries of 200 people in 12 projects and 24 months, and the admin's report of everyone, warm.
The floor is the same verified token and bare sums by project over the same covering index, whatever the report.

{months}

Aim: under 50 ms warm for a tenant with 1,000,000 entries.
{months_verdict}

Nearly all of it is the database's: by project, the month is one range of the index, read once and in its order. Other
groupings sort the rows of the month as well.

## How it grows

The report by project on one connection, of months of several lengths in tables of several sizes. Months of 400, 4,000
and 40,000 rows are in each table that is not mostly made of them; the longest month of each is a 24th of it.

{growth}

{growth_verdict}
So the cost follows the rows of the month and not those of the table.

## Long exports

All of a tenant's time from the first of January on, taken as one file; from hosts that have answered nothing before, on
the same tables. Rows are counted and, in the CSV, added up and compared with the table. The CSV is by person, project,
work item and day, and the floor writes the same bytes from one SELECT; the workbook lists each piece, and the floor's
has that list and nothing else. Memory is what of the server's process is resident, at most.

{exports}

Aims: a CSV of 100,000 rows within 10 s and 100 MB more than at rest, a workbook of 50,000 rows within 20 s.
{exports_verdict}
"""

_READING = """Why it is not less: a start writes three tables and a stop six where the floor writes one, all of it
in one commit; both answer with a document that was validated field by field and kept for its Idempotency-Key. With
several connections the processor is the limit, so the ratio goes towards that of CPU per request. SQLite has one
writer, so starts and stops queue up; threads wait for a lock of ours, since SQLite's own wait sleeps up to 100 ms.

"""


def machine(engines: list[str]) -> str:
    """Cores, Python and the versions that matter; no names and no paths."""
    cores = f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}"
    python = f"Python {platform.python_version()}, {', '.join(engines)}"
    return f"{cores}, {python},\n" + ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def command() -> str:
    return " ".join(["scripts/bench", *sys.argv[1:]])


def document(found: dict[str, Found], engines: list[str], *, rounds: int) -> str:
    """The page of all parts, measured on these engines."""
    tables = {name: table.markdown() for each in found.values() for name, table in each.tables.items()}
    verdicts = {f"{name}_verdict": each.verdict for name, each in found.items()}
    given = {"command": command(), "machine": machine(engines), "rounds": rounds, "reading": _READING}
    return _TEXT.format(**given, **tables, **verdicts)
