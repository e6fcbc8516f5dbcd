"""Everything that must be true after a run: every person's history, every invariant, every total, both sides' books."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from devcloud.chaos import check_hours, check_purchases, stored
from devcloud.chaos.cloud import Cloud
from devcloud.chaos.explain import Explanation
from devcloud.chaos.fleet import Fleet
from devcloud.chaos.history import History, Outcome
from devcloud.chaos.replay import Replay
from devcloud.chaos.settle import Settled
from devcloud.chaos.stored import Kept
from devcloud.chaos.troubles import MOST_OFF
from devcloud.chaos.violation import Violation
from shared.invariants import INVARIANTS
from shared.invariants import check as check_invariant


_OFF: Final = dt.timedelta(seconds=MOST_OFF)


@dataclass
class Found:
    """What is wrong, and how much was compared."""

    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


def check(tx: sa.Connection, cloud: Cloud, fleet: Fleet, settled: Settled) -> Found:
    """Compares all of it; the workers have ended, so nothing changes any more."""
    found, kept = Found(), stored.read(tx)
    for history in (each.history for each in fleet.everybody):
        mine = kept.get((history.tid, history.oid), Kept())
        found.violations += Explanation(history, mine, _OFF).violations()
        found.violations += [*Replay(history, mine).violations(), *_refused(history), *_unknown_to_us(history, mine)]
    for row in kept.get(stored.NOBODY, Kept()).done:
        found.violations.append(Violation("invented", "the service did what nobody asked for", (row.told(),)))
    found.violations += [*_invariants(tx), *_totals(tx, settled)]
    hours, debts = check_hours.check(tx, cloud.azure_devops)
    bought = [each for buyer in fleet.buyers for each in buyer.bought]
    found.violations += [*hours, *check_purchases.check(tx, cloud.marketplace, bought)]
    found.checked = {
        "histories of people": len(fleet.everybody),
        "rows of the timer log": sum(len(each.log) for each in kept.values()),
        "time entries": sum(len(each.entries) for each in kept.values()),
        "answers kept for Idempotency-Keys": sum(len(each.answers) for each in kept.values()),
        "debts to Completed Work": debts,
        "purchases": len(bought),
        "usage events on the meter": len(cloud.marketplace.operations.usage()),
        "tenants' totals by report": len(settled.totals),
        "invariants": len(INVARIANTS),
    }
    return found


def _refused(history: History) -> Iterator[Violation]:
    """Every token of the fleet is valid, whatever becomes of Entra: none may be refused. And nothing may be a 500."""
    for each in history.operations:
        statuses = {attempt.status for attempt in each.attempts}
        if 401 in statuses:  # noqa: PLR2004 - HTTP's own word for a bad token
            yield Violation("refused", "a valid token was refused", (each.told(),))
        if 500 in statuses:  # noqa: PLR2004 - a fault that was not foreseen
            yield Violation("failed", "a trouble that passes was answered with 500", (each.told(),))


def _unknown_to_us(history: History, kept: Kept) -> Iterator[Violation]:
    signed_in = [each for each in history.operations if each.path == "sign-in" and each.outcome is Outcome.ACKNOWLEDGED]
    if signed_in and not kept.accounts:
        yield Violation("lost", "somebody who signed in has no account", (signed_in[0].told(),))


def _invariants(tx: sa.Connection) -> Iterator[Violation]:
    for name in INVARIANTS:
        broken = check_invariant(tx, name)
        if broken is not None:
            yield Violation("invariant", f"{name}: {broken.count} times, rows {broken.ids}")


def _totals(tx: sa.Connection, settled: Settled) -> Iterator[Violation]:
    for job in settled.failed_jobs:
        yield Violation("failed", f"the job {job} still fails after the trouble")
    for tid, told in settled.totals.items():
        total = stored.total(tx, tid)
        if told != total:
            yield Violation("changed", f"the report of {tid} comes to {told} ms, its entries to {total} ms")
