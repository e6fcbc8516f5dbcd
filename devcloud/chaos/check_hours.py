"""Compares what is owed to Completed Work with the history of every work item: each debt landed once or never."""

import re
from collections import Counter
from decimal import Decimal
from typing import Final

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
_PLACES: Final = Decimal("0.0001")


def check(tx: sa.Connection, azure_devops: AzureDevOps) -> tuple[list[Violation], int]:
    """What is wrong, and how many debts were compared."""
    found, landed, moved = _landed(azure_devops)
    debts = list(tx.execute(sa.select(write_backs).order_by(write_backs.c.id)))
    for debt in debts:
        mark, is_done, count = debt.public_id.hex, debt.state == "done", landed[debt.public_id.hex]
        told = f"debt {mark} of entry {debt.entry_id}, {debt.delta_ms} ms, {debt.state}, {debt.reason}"
        shows = debt.hours_after is not None and debt.hours_after != debt.hours_before
        if count > 1:
            found.append(Violation("doubled", f"hours were written {count} times to Completed Work", (told,)))
        if is_done and shows and count == 0:
            found.append(Violation("lost", "hours that count as written are not in Completed Work", (told,)))
        if not is_done:
            found.append(Violation("lost", "hours are still owed after everything was asked for again", (told,)))
        if count == 1 and not _is_right(moved[mark], debt.delta_ms):
            found.append(Violation("changed", f"Completed Work moved by {moved[mark]} h", (told,)))
    unknown = landed.keys() - {each.public_id.hex for each in debts}
    found += [Violation("invented", f"hours of a debt that there is not: {mark}") for mark in sorted(unknown)]
    return found + _unequal(tx), len(debts)


def _landed(azure_devops: AzureDevOps) -> tuple[list[Violation], Counter[str], dict[str, Decimal]]:
    """How often each mark is in a history, and by how many hours it moved Completed Work."""
    board, found = azure_devops.workspace.board(ORGANIZATION), []
    landed: Counter[str] = Counter()
    moved: dict[str, Decimal] = {}
    for number in (number for numbers in PROJECTS.values() for number in numbers):
        at = None
        for update in board.updates(number, _LOOKER, skip=0, top=_EVERYTHING):
            hours = update.get("fields", {}).get(COMPLETED, {})
            before, after = Decimal(str(hours.get("oldValue", 0))), Decimal(str(hours.get("newValue", 0)))
            if hours and at is not None and before != at:
                found.append(Violation("lost", f"work item {number}: Completed Work went from {at} to {before} unseen"))
            at = after if hours else at
            if mark := _MARK.search(update.get("fields", {}).get(HISTORY, {}).get("newValue", "")):
                landed[mark[2]] += 1
                moved[mark[2]] = after - before
    return found, landed, moved


def _is_right(moved: Decimal, delta_ms: int) -> bool:
    """A debt moves it by its own hours to the last place kept; downwards it ends at 0."""
    owed = Decimal(delta_ms) / _MS_PER_HOUR
    return abs(moved - owed) <= _PLACES or (owed < moved <= 0)


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
