"""Everything that must be true after a run: every person's history, every invariant, every total."""

import datetime as dt
from dataclasses import dataclass, field

import sqlalchemy as sa

from devcloud.chaos import stored
from devcloud.chaos.explain import Explanation, Violation
from devcloud.chaos.fleet import Fleet
from devcloud.chaos.history import History
from devcloud.chaos.settle import Settled
from devcloud.chaos.stored import Kept
from shared.invariants import INVARIANTS, check as check_invariant


@dataclass
class Found:
    """What is wrong, and how much was compared."""

    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


def check(engine: sa.Engine, fleet: Fleet, settled: Settled, *, off: dt.timedelta) -> Found:
    """Compares all of it; the workers have ended, so nothing changes any more."""
    found = Found()
    kept = stored.read(engine)
    histories = [each.history for each in fleet.people]
    for history in histories:
        mine = kept.get((history.tid, history.oid), Kept())
        found.violations += Explanation(history, mine, off).violations()
        found.violations += _tokens_refused(history)
    for row in kept.get(stored.NOBODY, Kept()).done:
        found.violations.append(Violation("invented", "the service did what nobody asked for", (row.told(),)))
    found.checked["histories"] = len(histories)
    found.checked["rows of the timer log"] = sum(len(each.log) for each in kept.values())
    found.checked["time entries"] = sum(len(each.entries) for each in kept.values())
    found.violations += _invariants(engine)
    found.checked["invariants"] = len(INVARIANTS)
    return found


def _tokens_refused(history: History) -> list[Violation]:
    """Every token of the fleet is valid, whatever becomes of Entra: none may be refused."""
    refused = [each for each in history.operations if any(attempt.status == 401 for attempt in each.attempts)]  # noqa: PLR2004
    return [Violation("refused", "a valid token was refused", (each.told(),)) for each in refused]


def _invariants(engine: sa.Engine) -> list[Violation]:
    violations = []
    with engine.connect().execution_options(reads_only=True) as tx:
        for name in INVARIANTS:
            broken = check_invariant(tx, name)
            if broken is not None:
                violations.append(Violation("invariant", f"{name}: {broken.count} times, rows {broken.ids}"))
    return violations
