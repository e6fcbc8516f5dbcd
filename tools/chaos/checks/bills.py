"""Compares the bills of purchases with their users and with the price of the Marketplace."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from devcloud.emulators.marketplace.catalog import CURRENCY, find_plan
from devcloud.emulators.marketplace.model import State
from shared.db.schema import billing_lines, billing_records, subscription_rates, users
from tools.chaos.checks import sign_ins
from tools.chaos.checks.database import PersonKey, PersonRows
from tools.chaos.clients.history import History, Json, Outcome
from tools.chaos.cloud.clocks import ClockOffsets
from tools.chaos.faults.catalog import MAX_CLOCK_OFFSET


_CLOCK_OFFSET: Final = dt.timedelta(seconds=MAX_CLOCK_OFFSET)


@dataclass(frozen=True, slots=True)
class UserData:
    """The test users with their rows, and the offsets of the clocks during the run."""

    histories: list[History]
    rows: dict[PersonKey, PersonRows]
    clocks: ClockOffsets


class BillChecks:
    """`expected` counts the required lines."""

    def __init__(self, tx: sa.Connection, state: State, users: UserData) -> None:
        self._tx, self._state, self._rows, self._clocks = tx, state, users.rows, users.clocks
        self._people: defaultdict[str, list[History]] = defaultdict(list)
        for each in users.histories:
            self._people[each.tid].append(each)
        self.expected = 0

    def check(self, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
        """The violations in the bills of a subscription."""
        own_records = (billing_records.c.tenant_id == row.tenant_id, billing_records.c.subscription_id == row.id)
        sold_subscription, sold_prices = self._state.subscriptions[str(row.marketplace_id)], self._load_prices(row)
        people = self._people[sold_subscription.beneficiary.tid]
        records = self._tx.execute(
            billing_records.select().where(*own_records, billing_records.c.state == "closed")
        ).all()
        for record in records:
            if (record.rate_per_user, record.currency) not in sold_prices:
                prices = " or ".join(f"{price} {currency}" for price, currency in sold_prices)
                yield "changed", f"a user is billed {record.rate_per_user} {record.currency} instead of {prices}"
            if record.kind == "final" and sold_subscription.cancelled_at is not None:
                yield from self._check_missing_lines(record, people, sold_subscription.cancelled_at)
            yield from self._check_unexplained_lines(record, people, {each.month_key: each for each in records})

    def _check_unexplained_lines(
        self, record: sa.Row[Any], people: list[History], records: dict[int, sa.Row[Any]]
    ) -> Iterator[tuple[str, str]]:
        """Lines of people without use: time, or for the month of the bill also a sign-in."""
        histories = {each.oid: each for each in people}
        for line in self._lines(record):
            oid, history = str(line.entra_object_id), histories.get(str(line.entra_object_id))
            period = records.get(line.activity_month)
            if history is None:
                yield "invented", f"{oid} is on its bill, but is not a test user"
            elif period is None or not (
                self._has_time(history, period) or (period is record and self._may_have_signed_in(history, period))
            ):
                yield "invented", f"{oid} is on its bill of {line.activity_month} without use in that month"

    def _has_time(self, history: History, period: sa.Row[Any]) -> bool:
        """Whether any version of an entry, also of a deleted one, overlaps the period."""
        rows = self._rows.get((history.tid, history.oid), PersonRows())
        for row in rows.log:
            began, ended = row.instant("startedAt"), row.instant("stoppedAt")
            if began and ended and row.elapsed_ms and began < period.period_to and ended > period.period_from:
                return True
        return False

    def _may_have_signed_in(self, history: History, period: sa.Row[Any]) -> bool:
        attempts = (each for each in history.operations if sign_ins.is_sign_in(each))
        spans = (
            self._clocks.possible_times(each.sent_at, each.done_by)
            for each in attempts
            if each.outcome is not Outcome.REFUSED
        )
        return any(first < period.period_to and end >= period.period_from for first, end in spans)

    def _check_missing_lines(
        self, record: sa.Row[Any], people: list[History], ended_at: dt.datetime
    ) -> Iterator[tuple[str, str]]:
        """Users with certain use before the end of the subscription and within the period of the bill."""
        billed = {str(each.entra_object_id) for each in self._lines(record)}
        for history in people:
            if _has_acknowledged_work(history, record, ended_at) or self._has_signed_in(history, record, ended_at):
                self.expected += 1
                if history.oid not in billed:
                    yield "lost", f"{history.oid} used it while it was paid, but is not on its bill"

    def _load_prices(self, row: sa.Row[Any]) -> list[tuple[Decimal, str]]:
        """The Marketplace's prices of a user, in each plan that was possible when the product read the price."""
        own_rates = (subscription_rates.c.tenant_id == row.tenant_id, subscription_rates.c.subscription_id == row.id)
        learned_at = self._tx.execute(
            sa.select(sa.func.min(subscription_rates.c.from_at)).where(*own_rates)
        ).scalar_one()
        sold_subscription = self._state.subscriptions[str(row.marketplace_id)]
        plan_operations = (
            each for each in self._state.operations.values() if each.subscription_id == sold_subscription.id
        )
        changes = [each for each in plan_operations if each.action == "ChangePlan"]
        first = min(changes, key=lambda each: each.created_at, default=None)
        plans = {sold_subscription.plan_id if first is None else first.before[0]}
        plans |= {
            each.plan_id for each in changes if learned_at is None or each.created_at <= learned_at + _CLOCK_OFFSET
        }
        return sorted({(find_plan(each).per_user, CURRENCY) for each in plans})

    def _lines(self, record: sa.Row[Any]) -> list[sa.Row[Any]]:
        of_user = sa.and_(users.c.tenant_id == billing_lines.c.tenant_id, users.c.id == billing_lines.c.user_id)
        own_lines = (billing_lines.c.tenant_id == record.tenant_id, billing_lines.c.record_id == record.id)
        columns = sa.select(users.c.entra_object_id, billing_lines.c.activity_month)
        return list(self._tx.execute(columns.select_from(billing_lines.join(users, of_user)).where(*own_lines)))

    def _has_signed_in(self, history: History, record: sa.Row[Any], ended_at: dt.datetime) -> bool:
        """Whether the last sign-in is within the period, at each of its possible times."""
        last = sign_ins.find_last_sign_ins(
            [each for each in history.operations if each.sent_at < record.closed_at + _CLOCK_OFFSET]
        )
        if not last or last[0].ended_at >= ended_at:
            return False
        spans = [self._clocks.possible_times(each.sent_at, each.done_by) for each in last]
        return all(bool(record.period_from <= first and end < record.period_to) for first, end in spans)


def _has_acknowledged_work(history: History, record: sa.Row[Any], ended_at: dt.datetime) -> bool:
    acknowledged = (each for each in history.operations if each.writes and each.outcome is Outcome.ACKNOWLEDGED)
    responses = [each.answer for each in acknowledged if each.ended_at < ended_at and each.answer]
    entries = [entry for each in responses for entry in (each, each.get("stopped")) if entry and "stoppedAt" in entry]
    return any(_lies_within(each, record) for each in entries)


def _lies_within(entry: Json, record: sa.Row[Any]) -> bool:
    began, ended = (dt.datetime.fromisoformat(entry[name]) for name in ("startedAt", "stoppedAt"))
    return entry["elapsedMs"] > 0 and bool(record.period_from <= began and ended <= record.period_to)
