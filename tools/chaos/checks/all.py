"""All checks after a run: histories of users, invariants, totals, write-back and purchases."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from function_app import INVARIANTS
from shared.health.invariants import check as check_invariant
from tools.chaos.checks import database
from tools.chaos.checks.bills import UserData
from tools.chaos.checks.completed_work import check_completed_work
from tools.chaos.checks.database import PersonRows, TimerLogIndex
from tools.chaos.checks.history import Attribution
from tools.chaos.checks.instants import InstantChecks
from tools.chaos.checks.purchases import check_purchases
from tools.chaos.checks.refusals import RefusalChecks
from tools.chaos.checks.replay import LogReplay
from tools.chaos.checks.responses import ResponseChecks
from tools.chaos.checks.sign_ins import check_sign_ins
from tools.chaos.checks.violation import Violation
from tools.chaos.checks.work_items import WorkItemChecks
from tools.chaos.clients.fleet import Fleet
from tools.chaos.clients.history import History, Outcome
from tools.chaos.clients.timeline import Timeline
from tools.chaos.cloud.clocks import ClockOffsets
from tools.chaos.cloud.cloud import Cloud
from tools.chaos.drain import FinalState


_ENOUGH_TRIES: Final = 20


@dataclass
class CheckResult:
    """Violations, and the number of compared items by name."""

    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


def check_run(tx: sa.Connection, cloud: Cloud, fleet: Fleet, final: FinalState, clocks: ClockOffsets) -> CheckResult:
    """Compares everything. The workers have ended, so nothing changes anymore."""
    result, rows_by_person = CheckResult(), database.load_rows(tx)
    histories = [each.history for each in fleet.all_people]
    paying = {each.tid for buyer in fleet.buyers for each in buyer.purchases}
    log_index = TimerLogIndex.of(rows_by_person.values())
    for history in histories:
        own_rows = rows_by_person.get((history.tid, history.oid), PersonRows())
        result.violations += check_person(history, own_rows, log_index, clocks, is_paying=history.tid in paying)
    result.violations += [*_check_unknown_people(tx, rows_by_person, histories), *_check_never_acknowledged(histories)]
    for row in rows_by_person.get(database.SERVICE, PersonRows()).done:
        result.violations.append(Violation("invented", "a change of the service without a request", (row.describe(),)))
    result.violations += [*_check_invariants(tx), *_check_totals(tx, final)]
    write_back_violations, changes = check_completed_work(tx, cloud.azure_devops)
    purchases = [each for buyer in fleet.buyers for each in buyer.purchases]
    purchase_violations, line_count = check_purchases(
        tx, cloud.marketplace, purchases, UserData(histories, rows_by_person, clocks)
    )
    result.violations += [*write_back_violations, *purchase_violations]
    result.checked = {
        "user histories": len(histories),
        "rows of the timer log": sum(len(each.log) for each in rows_by_person.values()),
        "time entries": sum(len(each.entries) for each in rows_by_person.values()),
        "responses stored for Idempotency-Keys": sum(len(each.responses) for each in rows_by_person.values()),
        "refusals": sum(each.is_refused for history in histories for each in history.operations),
        "changes of Completed Work": changes,
        "purchases": len(purchases),
        "required bill lines": line_count,
        "usage events on the meter": len(cloud.marketplace.operations.usage()),
        "report totals of tenants": len(final.totals),
        "invariants": len(INVARIANTS),
    }
    return result


def check_person(
    history: History, rows: PersonRows, log_index: TimerLogIndex, clocks: ClockOffsets, *, is_paying: bool
) -> list[Violation]:
    """The violations in the history of one person."""
    attribution = Attribution(history, rows, log_index, clocks)
    timeline = Timeline(history, rows, attribution.causes)
    return [
        *attribution.violations(),
        *LogReplay(history, rows).violations(),
        *ResponseChecks(history, rows, timeline, log_index).violations(),
        *RefusalChecks(history, timeline, log_index.deleted, is_paying).violations(),
        *WorkItemChecks(history, rows).violations(),
        *InstantChecks(history, rows).violations(),
        *check_sign_ins(history, rows, clocks),
        *_check_statuses(history),
    ]


def _check_unknown_people(
    tx: sa.Connection, rows_by_person: dict[database.PersonKey, PersonRows], histories: list[History]
) -> Iterator[Violation]:
    """Accounts and directories that are not part of the test."""
    known = {(each.tid, each.oid) for each in histories}
    for tid, oid in sorted(rows_by_person.keys() - known - {database.SERVICE}):
        each = rows_by_person[tid, oid]
        detail = f"{oid} of {tid} is not a test user, and has {len(each.entries)} entries"
        yield Violation("invented", detail, tuple(row.describe() for row in each.log))
    for tid in sorted(database.load_directories(tx) - {tid for tid, _ in known}):
        yield Violation("invented", f"the directory {tid} is not part of the test")


def _check_statuses(history: History) -> Iterator[Violation]:
    """All tokens are valid, also while Entra is down: none may be refused. No response may be a 500."""
    for each in history.operations:
        statuses = {attempt.status for attempt in each.attempts}
        if 401 in statuses:  # noqa: PLR2004 - unauthorized
            yield Violation("refused", "a valid token was refused", (each.describe(),))
        if 500 in statuses:  # noqa: PLR2004 - internal server error
            yield Violation("failed", "a temporary fault caused a 500", (each.describe(),))


def _check_never_acknowledged(histories: list[History]) -> Iterator[Violation]:
    """A kind of operation that was tried often must have been acknowledged once."""
    outcomes: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
    for each in (each for history in histories for each in history.operations if each.status is not None):
        outcomes[each.kind][each.outcome] += 1
    for kind, counts in sorted(outcomes.items()):
        if not counts[Outcome.ACKNOWLEDGED] and counts.total() >= _ENOUGH_TRIES:
            yield Violation("refused", f"none of {counts.total()} operations '{kind}' was acknowledged")


def _check_invariants(tx: sa.Connection) -> Iterator[Violation]:
    for name, query in INVARIANTS.items():
        broken = check_invariant(tx, name, query)
        if broken is not None:
            yield Violation("invariant", f"{name}: {broken.count} times, rows {broken.ids}")


def _check_totals(tx: sa.Connection, final: FinalState) -> Iterator[Violation]:
    for job in final.failed_jobs:
        yield Violation("failed", f"the job {job} still fails after the faults")
    for tid, reported in final.totals.items():
        total = database.load_total(tx, tid)
        if reported != total:
            yield Violation("changed", f"the report of {tid} has {reported} ms, its entries have {total} ms")
