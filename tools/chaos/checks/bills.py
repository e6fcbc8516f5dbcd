"""Compares the bills of purchases with who used them while they were paid for, and with the price they were sold at."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from devcloud.emulators.marketplace.catalogue import CURRENCY, find_plan
from devcloud.emulators.marketplace.model import State
from shared.db.schema import billing_lines, billing_records, subscription_rates, users
from tools.chaos.checks import sign_ins
from tools.chaos.checks.database import Kept, Who
from tools.chaos.clients.history import History, Json, Outcome
from tools.chaos.cloud.clocks import Clocks
from tools.chaos.faults.catalogue import MOST_OFF


_OFF: Final = dt.timedelta(seconds=MOST_OFF)


@dataclass(frozen=True, slots=True)
class Users:
    """Everybody who may use a purchase, what is kept of them, and when clocks were off meanwhile."""

    histories: list[History]
    kept: dict[Who, Kept]
    clocks: Clocks


class Bills:
    """`expected` counts the lines that were looked for."""

    def __init__(self, tx: sa.Connection, state: State, users: Users) -> None:
        self._tx, self._state, self._kept, self._clocks = tx, state, users.kept, users.clocks
        self._people: defaultdict[str, list[History]] = defaultdict(list)
        for each in users.histories:
            self._people[each.tid].append(each)
        self.expected = 0

    def wrong(self, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
        """What is wrong with those of a subscription."""
        of_it = (billing_records.c.tenant_id == row.tenant_id, billing_records.c.subscription_id == row.id)
        theirs, sold = self._state.subscriptions[str(row.marketplace_id)], self._sold(row)
        people = self._people[theirs.beneficiary.tid]
        records = self._tx.execute(billing_records.select().where(*of_it, billing_records.c.state == "closed")).all()
        for record in records:
            if (record.rate_per_user, record.currency) not in sold:
                prices = " or ".join(f"{price} {currency}" for price, currency in sold)
                yield "changed", f"a user is billed {record.rate_per_user} {record.currency}, and was sold at {prices}"
            if record.kind == "final" and theirs.cancelled_at is not None:
                yield from self._left_out(record, people, theirs.cancelled_at)
            yield from self._unasked(record, people, {each.month_key: each for each in records})

    def _unasked(
        self, record: sa.Row[Any], people: list[History], records: dict[int, sa.Row[Any]]
    ) -> Iterator[tuple[str, str]]:
        """Whoever cannot have used it: of an earlier month, whose own bill tells its period, only time is late."""
        known = {each.oid: each for each in people}
        for line in self._lines(record):
            oid, history = str(line.entra_object_id), known.get(str(line.entra_object_id))
            period = records.get(line.activity_month)
            if history is None:
                yield "invented", f"{oid} is on its bill, and is none of the fleet"
            elif period is None or not (
                self._has_time(history, period) or (period is record and self._may_have_signed_in(history, period))
            ):
                yield "invented", f"{oid} is on its bill of {line.activity_month}, and did not use it then"

    def _has_time(self, history: History, period: sa.Row[Any]) -> bool:
        """Whether any version of any entry, deleted or not, reaches into it."""
        kept = self._kept.get((history.tid, history.oid), Kept())
        for row in kept.log:
            began, ended = row.instant("startedAt"), row.instant("stoppedAt")
            if began and ended and row.elapsed_ms and began < period.period_to and ended > period.period_from:
                return True
        return False

    def _may_have_signed_in(self, history: History, period: sa.Row[Any]) -> bool:
        asked = (each for each in history.operations if sign_ins.is_sign_in(each))
        spans = (self._clocks.span(each.sent_at, each.done_by) for each in asked if each.outcome is not Outcome.REFUSED)
        return any(first < period.period_to and end >= period.period_from for first, end in spans)

    def _left_out(self, record: sa.Row[Any], people: list[History], ended_at: dt.datetime) -> Iterator[tuple[str, str]]:
        """Whoever used it before Microsoft ended it, as far as that surely lies in the bill's period."""
        billed = {str(each.entra_object_id) for each in self._lines(record)}
        for history in people:
            if _worked(history, record, ended_at) or self._signed_in(history, record, ended_at):
                self.expected += 1
                if history.oid not in billed:
                    yield "lost", f"{history.oid} used it while it was paid for, and is not on its bill"

    def _sold(self, row: sa.Row[Any]) -> list[tuple[Decimal, str]]:
        """What the Marketplace took for a user, on any plan that it can have been on when its price was learned."""
        of_it = (subscription_rates.c.tenant_id == row.tenant_id, subscription_rates.c.subscription_id == row.id)
        learned = self._tx.execute(sa.select(sa.func.min(subscription_rates.c.from_at)).where(*of_it)).scalar_one()
        theirs = self._state.subscriptions[str(row.marketplace_id)]
        operations = (each for each in self._state.operations.values() if each.subscription_id == theirs.id)
        changes = [each for each in operations if each.action == "ChangePlan"]
        first = min(changes, key=lambda each: each.created_at, default=None)
        plans = {theirs.plan_id if first is None else first.before[0]}
        plans |= {each.plan_id for each in changes if learned is None or each.created_at <= learned + _OFF}
        return sorted({(find_plan(each).per_user, CURRENCY) for each in plans})

    def _lines(self, record: sa.Row[Any]) -> list[sa.Row[Any]]:
        of_user = sa.and_(users.c.tenant_id == billing_lines.c.tenant_id, users.c.id == billing_lines.c.user_id)
        own = (billing_lines.c.tenant_id == record.tenant_id, billing_lines.c.record_id == record.id)
        told = sa.select(users.c.entra_object_id, billing_lines.c.activity_month)
        return list(self._tx.execute(told.select_from(billing_lines.join(users, of_user)).where(*own)))

    def _signed_in(self, history: History, record: sa.Row[Any], ended_at: dt.datetime) -> bool:
        """Told by the last one of the month: it lies in the period, whichever of those that it can be it is."""
        last = sign_ins.last([each for each in history.operations if each.sent_at < record.closed_at + _OFF])
        if not last or last[0].ended_at >= ended_at:
            return False
        spans = [self._clocks.span(each.sent_at, each.done_by) for each in last]
        return all(bool(record.period_from <= first and end < record.period_to) for first, end in spans)


def _worked(history: History, record: sa.Row[Any], ended_at: dt.datetime) -> bool:
    told = (each for each in history.operations if each.writes and each.outcome is Outcome.ACKNOWLEDGED)
    answers = [each.answer for each in told if each.ended_at < ended_at and each.answer]
    entries = [entry for each in answers for entry in (each, each.get("stopped")) if entry and "stoppedAt" in entry]
    return any(_lies_within(each, record) for each in entries)


def _lies_within(entry: Json, record: sa.Row[Any]) -> bool:
    began, ended = (dt.datetime.fromisoformat(entry[name]) for name in ("startedAt", "stoppedAt"))
    return entry["elapsedMs"] > 0 and bool(record.period_from <= began and ended <= record.period_to)
