"""docs/performance.md: the tables of each part's newest run, the machine they come from, and how to read them."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version

from tools.bench.data import marketplace as market
from tools.bench.parts import fixed_rates as rates
from tools.bench.parts import soak, webhooks
from tools.bench.report.result import Found


_SIZES = {
    "people": rates.PEOPLE,
    "subscriptions": market.SUBSCRIPTIONS,
    "at_once": webhooks.AT_ONCE,
    "meanwhile": webhooks.RATE,
    "soak_people": soak.PEOPLE,
    "soak_rate": soak.RATE,
}
PACKAGES = ("azure-functions", "azure-functions-runtime", "SQLAlchemy", "PyJWT", "pydantic", "uvicorn")

_TEXT = """# Performance

Made by `scripts/bench --write`; run it again to replace this page. `scripts/bench --part peer,rates --write` measures
those parts anew and keeps the rest.

![Start and stop, and a month's report, of the floor, of ours and of TimeTagger](performance.svg)

Nothing here is a promise: it is one machine, named below. What depends least on it is the **ratio**: the product and
the floor take turns, round by round, on the same kind of host. Where `others` is above a tenth, somebody else was using
the machine: then absolute figures are worth little, and the ratio of CPU more than that of latencies.

* **The floor** (`tools/bench/floors/app`) is the least a correct answer could cost on this server: it verifies the
  RS256 signature, does one SQLite transaction of one statement as durable as ours (WAL, `synchronous=FULL`), and
  nothing else. It holds no rule: no running-timer check, log, entry, days, plan, lock or Idempotency-Key.
* **TimeTagger** is what many would use instead: its newest release, as its package installs it, on the same machine
  and under the same load. It keeps one SQLite file for each user, does not wait for the disk at each commit, holds none
  of our rules, and its report is a list of records that the browser adds up.
* **The load** is a process of its own: one user per connection, alternating start and stop, each with a fresh
  Idempotency-Key, every answer checked (status and body), every latency counted. It is a closed loop: the next request
  waits for the answer. At fixed rates it is an open one: there a latency counts from when its request was due. What is
  not answered ten seconds after the end fails the run. `load` is its share of one core; `others` is the share of all
  cores that neither it nor the server used, so that a noisy run shows.
* CPU is the server's processor time per request, in and outside the kernel.

Machine: {machine}.

## Start and stop

{pairs}

Ours over the floor, medians of {rounds} rounds, with the least and the most of any round:

{ratios}

Aim: start + stop within 1.5 times the floor on one connection.
{pairs_verdict}

{reading}## Beside TimeTagger

Floor, ours and TimeTagger took turns. A month is that of everyone in a tenant, and of one user of TimeTagger with
the same records; by ours it comes summed up, by TimeTagger as a list.

{peer}

Ours over the two, medians of the rounds, with the least and the most of any round:

{peer_ratios}

Aim: less time than TimeTagger.
{peer_verdict}

## At a fixed rate

{people} people, each on a connection of their own, start and stop at a fixed rate of them all.

{rates}

Aim: 95 of 100 within 100 ms at 50 requests a second, on PostgreSQL.
{rates_verdict}

## Where the time goes

The same calls in one process, without HTTP and without a second thread (medians, SQLite):

{layers}

The edge is parsing, permission, problem and reply; service and store is all Python inside the transaction, SQLAlchemy
included; the commit is one write to the WAL and one wait for the disk.

Statements per call are exact in `tests/contract/test_statement_counts.py`: a warm start sends 4, a warm stop 7, a
report 2.

## Signing in, the webhook, a new host

What is over the floor, here and below, is the median of the rounds' ratios of medians, with the least and the most of
any round. A sign-in stands beside the floor's start or stop, which is a verified token and one write too:

{sign_ins}

The Marketplace's stand-in tells {subscriptions} customers' changes of seats by {at_once} threads at once, in each round
first the floor and then ours, while {people} people start and stop at whichever is told, {meanwhile} requests a second
in all. The floor verifies Microsoft's token, asks the Marketplace two questions, what the operation and what the
subscription is, on connections that it keeps, and writes one row in one transaction, always on SQLite. Ours asks also
what became of the change that it accepted before. A call is timed at the caller, so a good part of either is the
stand-in's time for its answers. TimeTagger has no webhook to stand beside these.

{webhooks}

Aim: 99 of 100 within two seconds; Microsoft gives up after ten.
{calls_verdict}

A new host, from an empty process to its first answer (a start, which connects to the database and fetches the signing
keys). The host is the local one; what Azure adds was not measured.

{starts}

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

All of a tenant's time from the first of January on, taken as one file in each of the rounds, on the same tables. Each
line is of two hosts of its own, ours and the floor's, which had answered nothing before the first round. Rows are
counted and, in the CSV, added up and compared with the table. The CSV is by person, project, work item and day, and the
floor writes the same bytes from one SELECT; the workbook lists each piece, and the floor's has that list and nothing
else. Memory is what of the server's process is resident, at the peak the most of any round. A process keeps much of
what an export took, so only the first round begins low.

{exports}

Aims: a CSV of 100,000 rows within 10 s and 100 MB more than before it, a workbook of 50,000 rows within 20 s.
{exports_verdict}

## Bills

Tenants of 20 people, all of whom signed in, and 100 entries of one month each. The hourly job closes that month for
all of them, in a process of its own: for each tenant one transaction that finds who was active and writes the record,
a line for each person, the usage event and the audit row. The idle run is the next one, which has nothing to close.

The floor, in a process of its own too, does for each tenant one transaction by the driver alone, on one connection and
as durable as ours: one statement finds who has time in the month and writes a line with the e-mail of each, a second
one the record. It knows no sign-ins, rates, usage, audit, adjustments or locks. A tenth of the tenants are closed in
rounds, floor and ours in turn, each round on a database that nothing was closed in; all of them in one round, which has
no spread. Seconds are the median of the rounds; memory is that of the round whose process grew most. TimeTagger has no
bills, so nothing stands beside ours but the floor.

{closing}

Before that, a super admin of one of these tenants asks what the running month comes to, on one connection. The floor
verifies the same token and counts the people with time or a sign-in in that month by one statement, without names or
money; floor and ours take turns in rounds of at most a second:

{previews}

Aims: 10,000 tenants closed within 60 s, and no more memory for more of them; a preview within 20 ms.
{billing_verdict}

## A long run

Starts and stops of {soak_people} people, sign-ins and reports, {soak_rate} requests a second in all, each on a
connection that is kept from the first minute to the last.

{soak}

Aim: memory grows by less than a twentieth, no answer is wrong, and no connection stays open.
{soak_verdict}

## How each part was run

{runs}
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


def document(found: Mapping[str, Found], *, rounds: int) -> str:
    """The page of all parts; the machine is that of the newest."""
    tables = {name: table.markdown() for each in found.values() for name, table in each.tables.items()}
    verdicts = {f"{name}_verdict": each.verdict for name, each in found.items()}
    newest = max(found.values(), key=lambda each: each.day)
    given = {"machine": newest.machine, "rounds": rounds, "reading": _READING, "runs": _runs(found), **_SIZES}
    return _TEXT.format(**given, **tables, **verdicts)


def _runs(found: Mapping[str, Found]) -> str:
    rows = [f"| {name} | `{each.command}` | {each.day} |" for name, each in found.items()]
    return "\n".join(["| part | command | day |", "| --- | --- | --- |", *rows])
