"""Compares the write-back ledger with the history of every work item: each write landed once, all hours are there."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from devcloud.emulators.azure_devops.fields import COMPLETED, HISTORY
from devcloud.emulators.azure_devops.server import AzureDevOps
from devcloud.emulators.azure_devops.tokens import Visitor
from shared.db.schema import tenants, time_entries, write_back_changes, write_back_items
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.person import ORGANIZATION, PROJECTS


_LINE: Final = re.compile(r"TimeTracker: ([+-][0-9.]+) h \(([0-9a-f]{32})-([0-9]+)\)")
_LOOKER: Final = Visitor("chaos", "Chaos", "chaos@contoso.example", (ORGANIZATION,))
_EVERYTHING: Final = 10**9
_MS_PER_HOUR: Final = Decimal(3_600_000)
_PLACES: Final = Decimal("0.0001")
_ROUNDED: Final = Decimal("0.00005")  # hours have four places: half of the last one is the most that rounding takes
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
class Landing:
    """A revision of a work item that names a write, its Completed Work before and after it, and the hours it says."""

    item: int
    revision: int
    number: int
    before: Decimal
    after: Decimal
    says: Decimal

    @property
    def moved(self) -> Decimal:
        return self.after - self.before


@dataclass
class _Past:
    """What the work items have been through: when they were at 0, and the landings by the mark of our item."""

    at_zero: set[tuple[int, int]] = field(default_factory=set)  # number and revision
    landings: defaultdict[str, list[Landing]] = field(default_factory=lambda: defaultdict(list))
    found: list[Violation] = field(default_factory=list)


def check(tx: sa.Connection, azure_devops: AzureDevOps) -> tuple[list[Violation], int]:
    """What is wrong, and how many changes of time were compared."""
    past = _past(azure_devops)
    rows, found = list(tx.execute(_ITEMS)), past.found
    for row in rows:
        told = f"item {row.public_id.hex}, work item {row.work_item_id}, {row.written} h, {row.state}, {row.reason}"
        found += [Violation(what, detail, (told,)) for what, detail in _wrong(row, past)]
    unknown = past.landings.keys() - {each.public_id.hex for each in rows}
    found += [Violation("invented", f"hours of an item that there is not: {mark}") for mark in sorted(unknown)]
    changes = tx.execute(sa.select(sa.func.count()).select_from(write_back_changes)).scalar_one()
    return found + _unequal(tx), changes


def _wrong(row: Any, past: _Past) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a row
    landings = past.landings[row.public_id.hex]
    for number, times in Counter(each.number for each in landings).items():
        if times > 1:
            yield "doubled", f"write {number} landed {times} times in Completed Work"
    for each in landings:
        if each.item != row.work_item_id:
            yield "changed", f"hours on work item {row.work_item_id} were written to {each.item}"
        if abs(each.moved - each.says) > _ROUNDED:
            yield "changed", f"Completed Work went from {each.before} to {each.after} h, by what says {each.says}"
    moved = sum((each.moved for each in landings), Decimal(0))
    if row.written - moved > _ROUNDED:
        yield "lost", "hours that count as written are not in Completed Work"
    elif moved - row.written > _ROUNDED:
        yield "doubled", "hours that are in Completed Work do not count as written"
    owed = (row.total_ms / _MS_PER_HOUR).quantize(_PLACES) - moved
    if owed > _ROUNDED or (owed < -_ROUNDED and not _was_empty(row.work_item_id, landings, past)):
        yield "lost", "hours are still owed after everything was asked for again"


def _was_empty(item: int, landings: list[Landing], past: _Past) -> bool:
    """Whether there was nothing to take hours from, at some time since the last that were added or taken."""
    since = max((each.revision for each in landings), default=0)
    return any(number == item and revision >= since for number, revision in past.at_zero)


def _past(azure_devops: AzureDevOps) -> _Past:
    board, past = azure_devops.workspace.board(ORGANIZATION), _Past()
    for number in (number for numbers in PROJECTS.values() for number in numbers):
        at = Decimal(0)
        for update in board.updates(number, _LOOKER, skip=0, top=_EVERYTHING):
            fields = update.get("fields", {})
            if hours := fields.get(COMPLETED, {}):
                before, at_before = Decimal(str(hours.get("oldValue", 0))), at
                at = Decimal(str(hours.get("newValue", 0)))
                if before != at_before:
                    detail = f"work item {number}: Completed Work went from {at_before} to {before} unseen"
                    past.found.append(Violation("lost", detail))
            else:
                before = at
            if at == 0:
                past.at_zero.add((number, update["rev"]))
            if line := _LINE.search(fields.get(HISTORY, {}).get("newValue", "")):
                landing = Landing(number, update["rev"], int(line[3]), before, at, Decimal(line[1]))
                past.landings[line[2]].append(landing)
    return past


def _unequal(tx: sa.Connection) -> list[Violation]:
    """All changes of an entry come to its time, where the tenant writes back: the fleet did from the start."""
    counted = sa.select(sa.func.sum(_changes.delta_ms)).where(
        _changes.tenant_id == time_entries.c.tenant_id, _changes.entry_id == time_entries.c.public_id
    )
    rows = sa.select(
        time_entries.c.public_id, time_entries.c.elapsed_ms, counted.scalar_subquery().label("counted")
    ).join(tenants, sa.and_(tenants.c.id == time_entries.c.tenant_id, tenants.c.write_back))
    return [
        Violation("changed", f"entry {row.public_id} lasts {row.elapsed_ms} ms and counts with {row.counted} ms in all")
        for row in tx.execute(rows)
        if (row.counted or 0) != row.elapsed_ms
    ]
