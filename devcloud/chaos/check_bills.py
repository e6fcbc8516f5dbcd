"""Compares the bills of purchases with who used them while they were paid for, and with the price they were sold at."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from devcloud.chaos import sign_ins
from devcloud.chaos.clocks import Clocks
from devcloud.chaos.history import History, Json, Outcome
from devcloud.chaos.troubles import MOST_OFF
from devcloud.marketplace.catalogue import CURRENCY, find_plan
from devcloud.marketplace.model import State
from shared.db.schema import billing_lines, billing_records, subscription_rates, users


_OFF: Final = dt.timedelta(seconds=MOST_OFF)


class Bills:
    """`expected` counts the lines that were looked for."""

    def __init__(self, tx: sa.Connection, state: State, people: Iterable[History], clocks: Clocks) -> None:
        self._tx, self._state, self._clocks = tx, state, clocks
        self._people: defaultdict[str, list[History]] = defaultdict(list)
        for each in people:
            self._people[each.tid].append(each)
        self.expected = 0

    def wrong(self, row: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a row
        """What is wrong with those of a subscription."""
        of_it = (billing_records.c.tenant_id == row.tenant_id, billing_records.c.subscription_id == row.id)
        theirs, sold = self._state.subscriptions[str(row.marketplace_id)], self._sold(row)
        for record in self._tx.execute(billing_records.select().where(*of_it, billing_records.c.state == "closed")):
            if (record.rate_per_user, record.currency) not in sold:
                prices = " or ".join(f"{price} {currency}" for price, currency in sold)
                yield "changed", f"a user is billed {record.rate_per_user} {record.currency}, and was sold at {prices}"
            if record.kind == "final" and theirs.cancelled_at is not None:
                yield from self._left_out(record, self._people[theirs.beneficiary.tid], theirs.cancelled_at)

    def _left_out(self, record: Any, people: list[History], ended_at: dt.datetime) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a row
        """Whoever used it before Microsoft ended it, as far as that surely lies in the bill's period."""
        billed = self._billed(record)
        for history in people:
            if _worked(history, record, ended_at) or self._signed_in(history, record, ended_at):
                self.expected += 1
                if history.oid not in billed:
                    yield "lost", f"{history.oid} used it while it was paid for, and is not on its bill"

    def _sold(self, row: Any) -> list[tuple[Decimal, str]]:  # noqa: ANN401 - a row
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

    def _billed(self, record: Any) -> set[str]:  # noqa: ANN401 - a row
        of_user = sa.and_(users.c.tenant_id == billing_lines.c.tenant_id, users.c.id == billing_lines.c.user_id)
        own = (billing_lines.c.tenant_id == record.tenant_id, billing_lines.c.record_id == record.id)
        on_it = sa.select(users.c.entra_object_id).select_from(billing_lines.join(users, of_user)).where(*own)
        return {str(each) for each in self._tx.scalars(on_it)}

    def _signed_in(self, history: History, record: Any, ended_at: dt.datetime) -> bool:  # noqa: ANN401 - a row
        """Told by the last one of the month: it lies in the period, whichever of those that it can be it is."""
        last = sign_ins.last([each for each in history.operations if each.sent_at < record.closed_at + _OFF])
        if not last or last[0].ended_at >= ended_at:
            return False
        spans = [self._clocks.span(each.sent_at, each.done_by) for each in last]
        return all(bool(record.period_from <= first and end < record.period_to) for first, end in spans)


def _worked(history: History, record: Any, ended_at: dt.datetime) -> bool:  # noqa: ANN401 - a row
    told = (each for each in history.operations if each.writes and each.outcome is Outcome.ACKNOWLEDGED)
    answers = [each.answer for each in told if each.ended_at < ended_at and each.answer]
    entries = [entry for each in answers for entry in (each, each.get("stopped")) if entry and "stoppedAt" in entry]
    return any(_lies_within(each, record) for each in entries)


def _lies_within(entry: Json, record: Any) -> bool:  # noqa: ANN401 - a row
    began, ended = (dt.datetime.fromisoformat(entry[name]) for name in ("startedAt", "stoppedAt"))
    return entry["elapsedMs"] > 0 and bool(record.period_from <= began and ended <= record.period_to)
