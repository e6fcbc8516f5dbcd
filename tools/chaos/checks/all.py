"""Everything that must be true after a run: every person's history, every invariant, every total, both sides' books."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from function_app import INVARIANTS
from shared.health.invariants import check as check_invariant
from tools.chaos.checks import completed_work, database, purchases, sign_ins
from tools.chaos.checks.bills import Users
from tools.chaos.checks.database import Kept, Logged
from tools.chaos.checks.drain import Settled
from tools.chaos.checks.history import Explanation
from tools.chaos.checks.instants import Instants
from tools.chaos.checks.refusals import Refusals
from tools.chaos.checks.replay import Replay
from tools.chaos.checks.responses import Granted
from tools.chaos.checks.violation import Violation
from tools.chaos.checks.work_items import Items
from tools.chaos.clients.fleet import Fleet
from tools.chaos.clients.history import History, Outcome
from tools.chaos.clients.timeline import Moments
from tools.chaos.cloud.clocks import Clocks
from tools.chaos.cloud.cloud import Cloud


_MANY: Final = 20


@dataclass
class Found:
    """What is wrong, and how much was compared."""

    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


def check(tx: sa.Connection, cloud: Cloud, fleet: Fleet, settled: Settled, clocks: Clocks) -> Found:
    """Compares all of it; the workers have ended, so nothing changes any more."""
    found, kept, histories = Found(), database.read(tx), [each.history for each in fleet.everybody]
    paying = {each.tid for buyer in fleet.buyers for each in buyer.bought}
    logged = Logged.of(kept.values())
    for history in histories:
        mine = kept.get((history.tid, history.oid), Kept())
        found.violations += of_person(history, mine, logged, clocks, pays=history.tid in paying)
    found.violations += [*_strangers(tx, kept, histories), *_barren(histories)]
    for row in kept.get(database.NOBODY, Kept()).done:
        found.violations.append(Violation("invented", "the service did what nobody asked for", (row.told(),)))
    found.violations += [*_invariants(tx), *_totals(tx, settled)]
    hours, changes = completed_work.check(tx, cloud.azure_devops)
    bought = [each for buyer in fleet.buyers for each in buyer.bought]
    of_purchases, lines = purchases.check(tx, cloud.marketplace, bought, Users(histories, kept, clocks))
    found.violations += [*hours, *of_purchases]
    found.checked = {
        "histories of people": len(histories),
        "rows of the timer log": sum(len(each.log) for each in kept.values()),
        "time entries": sum(len(each.entries) for each in kept.values()),
        "answers kept for Idempotency-Keys": sum(len(each.answers) for each in kept.values()),
        "refusals": sum(each.is_refused for history in histories for each in history.operations),
        "changes of Completed Work": changes,
        "purchases": len(bought),
        "lines that their bills must have": lines,
        "usage events on the meter": len(cloud.marketplace.operations.usage()),
        "tenants' totals by report": len(settled.totals),
        "invariants": len(INVARIANTS),
    }
    return found


def of_person(history: History, kept: Kept, logged: Logged, clocks: Clocks, *, pays: bool) -> list[Violation]:
    """What is wrong with what one person was told."""
    explanation = Explanation(history, kept, logged, clocks)
    moments = Moments(history, kept, explanation.causes)
    return [
        *explanation.violations(),
        *Replay(history, kept).violations(),
        *Granted(history, kept, moments, logged).violations(),
        *Refusals(history, moments, logged.deleted, pays).violations(),
        *Items(history, kept).violations(),
        *Instants(history, kept).violations(),
        *sign_ins.check(history, kept, clocks),
        *_refused(history),
    ]


def _strangers(tx: sa.Connection, kept: dict[database.Who, Kept], histories: list[History]) -> Iterator[Violation]:
    """Nobody but the fleet signs in, and no account is made for anybody else."""
    known = {(each.tid, each.oid) for each in histories}
    for tid, oid in sorted(kept.keys() - known - {database.NOBODY}):
        each = kept[tid, oid]
        detail = f"{oid} of {tid} is none of the fleet, and has {len(each.entries)} entries"
        yield Violation("invented", detail, tuple(row.told() for row in each.log))
    for tid in sorted(database.directories(tx) - {tid for tid, _ in known}):
        yield Violation("invented", f"the directory {tid} is none of the fleet's")


def _refused(history: History) -> Iterator[Violation]:
    """Every token of the fleet is valid, whatever becomes of Entra: none may be refused. And nothing may be a 500."""
    for each in history.operations:
        statuses = {attempt.status for attempt in each.attempts}
        if 401 in statuses:  # noqa: PLR2004 - HTTP's own word for a bad token
            yield Violation("refused", "a valid token was refused", (each.told(),))
        if 500 in statuses:  # noqa: PLR2004 - a fault that was not foreseen
            yield Violation("failed", "a trouble that passes was answered with 500", (each.told(),))


def _barren(histories: list[History]) -> Iterator[Violation]:
    """What many tried and nobody ever got done is out of order, whatever reasons were given."""
    outcomes: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
    for each in (each for history in histories for each in history.operations if each.status is not None):
        outcomes[each.kind][each.outcome] += 1
    for kind, counts in sorted(outcomes.items()):
        if not counts[Outcome.ACKNOWLEDGED] and counts.total() >= _MANY:
            yield Violation("refused", f"not one of {counts.total()} times was a {kind} acknowledged")


def _invariants(tx: sa.Connection) -> Iterator[Violation]:
    for name, query in INVARIANTS.items():
        broken = check_invariant(tx, name, query)
        if broken is not None:
            yield Violation("invariant", f"{name}: {broken.count} times, rows {broken.ids}")


def _totals(tx: sa.Connection, settled: Settled) -> Iterator[Violation]:
    for job in settled.failed_jobs:
        yield Violation("failed", f"the job {job} still fails after the trouble")
    for tid, told in settled.totals.items():
        total = database.total(tx, tid)
        if told != total:
            yield Violation("changed", f"the report of {tid} comes to {told} ms, its entries to {total} ms")
