"""Compares what is owed to Completed Work with the history of every work item: each debt landed once."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from devcloud.azure_devops.fields import COMPLETED, HISTORY
from devcloud.azure_devops.server import AzureDevOps
from devcloud.azure_devops.tokens import Visitor
from devcloud.chaos.person import ORGANIZATION, PROJECTS
from devcloud.chaos.violation import Violation
from shared.db.schema import tenants, time_entries, write_backs


_MARK: Final = re.compile(r"TimeTracker: ([+-][0-9.]+) h \(([0-9a-f]{32})\)")
_LOOKER: Final = Visitor("chaos", "Chaos", "chaos@contoso.example", (ORGANIZATION,))
_EVERYTHING: Final = 10**9
_MS_PER_HOUR: Final = Decimal(3_600_000)
_ROUNDED: Final = Decimal("0.00005")  # hours have four places: half of the last one is the most that rounding takes


@dataclass(frozen=True, slots=True)
class Landing:
    """A revision of a work item that names a debt, and its Completed Work before and after it."""

    item: int
    revision: int
    before: Decimal
    after: Decimal

    def pays(self, delta_ms: int) -> bool:
        """A debt moves it by its own hours to the last place kept; where less is there to take away, to 0."""
        return abs(self.after - max(Decimal(0), self.before + _hours(delta_ms))) <= _ROUNDED


@dataclass
class _Past:
    """What the work items have been through: their hours by number and revision, and the landings by mark."""

    hours: dict[tuple[int, int], Decimal] = field(default_factory=dict)
    landings: defaultdict[str, list[Landing]] = field(default_factory=lambda: defaultdict(list))
    found: list[Violation] = field(default_factory=list)


def check(tx: sa.Connection, azure_devops: AzureDevOps) -> tuple[list[Violation], int]:
    """What is wrong, and how many debts were compared."""
    past = _past(azure_devops)
    debts = list(tx.execute(sa.select(write_backs).order_by(write_backs.c.id)))
    found, paid_at = past.found, defaultdict[tuple[Any, int], int](int)
    for debt in debts:
        key, landings = (debt.entry_id, debt.work_item_id), past.landings[debt.public_id.hex]
        told = f"debt {debt.public_id.hex} of entry {debt.entry_id}, {debt.delta_ms} ms, {debt.state}, {debt.reason}"
        found += [Violation(what, detail, (told,)) for what, detail in _wrong(debt, landings, past, paid_at[key])]
        paid_at[key] = max([paid_at[key], *(each.revision for each in landings)])
    unknown = past.landings.keys() - {each.public_id.hex for each in debts}
    found += [Violation("invented", f"hours of a debt that there is not: {mark}") for mark in sorted(unknown)]
    return found + _unequal(tx), len(debts)


def _wrong(debt: sa.Row[Any], landings: list[Landing], past: _Past, paid_at: int) -> Iterator[tuple[str, str]]:
    """`paid_at` is the revision at which the entry's debts before this one had landed."""
    if debt.state != "done":
        yield "lost", "hours are still owed after everything was asked for again"
    elif not landings and not _comes_to_nothing(debt, past, paid_at):
        yield "lost", "hours that count as written are not in Completed Work"
    if len(landings) > 1:
        yield "doubled", f"hours were written {len(landings)} times to Completed Work"
    for each in landings:
        if each.item != debt.work_item_id:
            yield "changed", f"hours on work item {debt.work_item_id} were written to {each.item}"
        if not each.pays(debt.delta_ms):
            yield "changed", f"Completed Work went from {each.before} to {each.after} h"


def _comes_to_nothing(debt: sa.Row[Any], past: _Past, paid_at: int) -> bool:
    """Whether it is right that nothing was written: it rounds to nothing, or there was nothing to take it from.

    The revision at which that was seen is the product's own word, but what stood there is not, and it cannot lie before
    what the entry had added.
    """
    owed = _hours(debt.delta_ms)
    if abs(owed) <= _ROUNDED:
        return True
    revision = debt.pinned_revision
    return (
        owed < 0 and revision is not None and revision >= paid_at and past.hours.get((debt.work_item_id, revision)) == 0
    )


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
            past.hours[number, update["rev"]] = at
            if mark := _MARK.search(fields.get(HISTORY, {}).get("newValue", "")):
                past.landings[mark[2]].append(Landing(number, update["rev"], before, at))
    return past


def _hours(delta_ms: int) -> Decimal:
    return Decimal(delta_ms) / _MS_PER_HOUR


def _unequal(tx: sa.Connection) -> list[Violation]:
    """All debts of an entry that owes come to its time; entries of tenants that do not write back owe nothing."""
    owed = sa.select(sa.func.sum(write_backs.c.delta_ms)).where(
        write_backs.c.tenant_id == time_entries.c.tenant_id, write_backs.c.entry_id == time_entries.c.public_id
    )
    rows = sa.select(time_entries.c.public_id, time_entries.c.elapsed_ms, owed.scalar_subquery().label("owed")).join(
        tenants, sa.and_(tenants.c.id == time_entries.c.tenant_id, tenants.c.write_back)
    )
    return [
        Violation("changed", f"entry {row.public_id} lasts {row.elapsed_ms} ms and owes {row.owed} ms in all")
        for row in tx.execute(rows)
        if (row.owed or 0) != row.elapsed_ms
    ]
