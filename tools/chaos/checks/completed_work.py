"""Compares the write-back ledger with the history of every work item: each write is there once, with all hours."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from devcloud.emulators.azure_devops.fields import COMPLETED, HISTORY
from devcloud.emulators.azure_devops.server import AzureDevOps
from devcloud.emulators.azure_devops.tokens import TokenUser
from shared.db.schema import tenants, time_entries, write_back_changes, write_back_items
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.person import ORGANIZATION, PROJECTS


_LINE: Final = re.compile(r"TimeTracker: ([+-][0-9.]+) h \(([0-9a-f]{32})-([0-9]+)\)")
_READER: Final = TokenUser("chaos", "Chaos", "chaos@contoso.example", (ORGANIZATION,))
_ALL_UPDATES: Final = 10**9
_MS_PER_HOUR: Final = Decimal(3_600_000)
_PLACES: Final = Decimal("0.0001")
_ROUNDING: Final = Decimal("0.00005")  # hours have four decimals; rounding changes at most half of the last one
_items, _changes = write_back_items.c, write_back_changes.c
_TOTAL: Final = (
    sa.select(sa.func.coalesce(sa.func.sum(_changes.delta_ms), 0))
    .where(
        _changes.tenant_id == _items.tenant_id,
        _changes.organization_id == _items.organization_id,
        _changes.work_item_id == _items.work_item_id,
    )
    .scalar_subquery()
)
_ITEMS: Final = sa.select(
    _items.public_id, _items.work_item_id, _items.written, _items.state, _items.reason, _TOTAL.label("total_ms")
).order_by(_items.id)


@dataclass(frozen=True, slots=True)
class LandedWrite:
    """A revision of a work item by one of our writes: Completed Work before and after it, and the stated hours."""

    item: int
    revision: int
    number: int
    before: Decimal
    after: Decimal
    stated: Decimal

    @property
    def change(self) -> Decimal:
        return self.after - self.before


@dataclass
class _ItemHistories:
    """The histories of the work items: revisions with 0 hours, and our writes by the id of our item."""

    at_zero: set[tuple[int, int]] = field(default_factory=set)  # number and revision
    landings: defaultdict[str, list[LandedWrite]] = field(default_factory=lambda: defaultdict(list))
    violations: list[Violation] = field(default_factory=list)


def check_completed_work(tx: sa.Connection, azure_devops: AzureDevOps) -> tuple[list[Violation], int]:
    """The violations, and the number of compared changes."""
    histories = _load_item_histories(azure_devops)
    rows, violations = list(tx.execute(_ITEMS)), histories.violations
    for row in rows:
        line = f"item {row.public_id.hex}, work item {row.work_item_id}, {row.written} h, {row.state}, {row.reason}"
        violations += [Violation(kind, detail, (line,)) for kind, detail in _check_item(row, histories)]
    unknown = histories.landings.keys() - {each.public_id.hex for each in rows}
    violations += [Violation("invented", f"hours of an unknown item: {mark}") for mark in sorted(unknown)]
    changes = tx.execute(sa.select(sa.func.count()).select_from(write_back_changes)).scalar_one()
    return violations + _check_entry_totals(tx), changes


def _check_item(row: Any, histories: _ItemHistories) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a row
    landings = histories.landings[row.public_id.hex]
    for number, times in Counter(each.number for each in landings).items():
        if times > 1:
            yield "doubled", f"write {number} landed {times} times in Completed Work"
    for each in landings:
        if each.item != row.work_item_id:
            yield "changed", f"hours on work item {row.work_item_id} were written to {each.item}"
        if abs(each.change - each.stated) > _ROUNDING:
            yield (
                "changed",
                f"Completed Work went from {each.before} to {each.after} h, but the history states {each.stated}",
            )
    change = sum((each.change for each in landings), Decimal(0))
    if row.written - change > _ROUNDING:
        yield "lost", "hours that count as written are not in Completed Work"
    elif change - row.written > _ROUNDING:
        yield "doubled", "hours that are in Completed Work do not count as written"
    pending = (row.total_ms / _MS_PER_HOUR).quantize(_PLACES) - change
    if pending > _ROUNDING or (pending < -_ROUNDING and not _was_at_zero(row.work_item_id, landings, histories)):
        yield "lost", "hours are still pending after all write-backs were requested again"


def _was_at_zero(item: int, landings: list[LandedWrite], histories: _ItemHistories) -> bool:
    """Whether Completed Work was 0 at some time since our last write."""
    since = max((each.revision for each in landings), default=0)
    return any(number == item and revision >= since for number, revision in histories.at_zero)


def _load_item_histories(azure_devops: AzureDevOps) -> _ItemHistories:
    board, histories = azure_devops.workspace.board(ORGANIZATION), _ItemHistories()
    for number in (number for numbers in PROJECTS.values() for number in numbers):
        at = Decimal(0)
        for update in board.updates(number, _READER, skip=0, top=_ALL_UPDATES):
            fields = update.get("fields", {})
            if hours := fields.get(COMPLETED, {}):
                before, at_before = Decimal(str(hours.get("oldValue", 0))), at
                at = Decimal(str(hours.get("newValue", 0)))
                if before != at_before:
                    detail = f"work item {number}: Completed Work went from {at_before} to {before} without an update"
                    histories.violations.append(Violation("lost", detail))
            else:
                before = at
            if at == 0:
                histories.at_zero.add((number, update["rev"]))
            if match := _LINE.search(fields.get(HISTORY, {}).get("newValue", "")):
                landing = LandedWrite(number, update["rev"], int(match[3]), before, at, Decimal(match[1]))
                histories.landings[match[2]].append(landing)
    return histories


def _check_entry_totals(tx: sa.Connection) -> list[Violation]:
    """The changes of an entry add up to its time, in tenants with write-back (on from the start)."""
    counted_ms = sa.select(sa.func.sum(_changes.delta_ms)).where(
        _changes.tenant_id == time_entries.c.tenant_id, _changes.entry_id == time_entries.c.public_id
    )
    rows = sa.select(
        time_entries.c.public_id, time_entries.c.elapsed_ms, counted_ms.scalar_subquery().label("counted_ms")
    ).join(tenants, sa.and_(tenants.c.id == time_entries.c.tenant_id, tenants.c.write_back))
    return [
        Violation(
            "changed", f"entry {row.public_id} lasts {row.elapsed_ms} ms, its changes add up to {row.counted_ms} ms"
        )
        for row in tx.execute(rows)
        if (row.counted_ms or 0) != row.elapsed_ms
    ]
