"""Whether this database may act outward: compared with the mark outside, raised before and after, held where behind.

The mark outside is read before the database's own is, and told after that was committed. So for the one database that
is in use it is never ahead, and a database that is behind it was restored from a backup, or is a copy.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import sqlalchemy as sa

from shared.app import App
from shared.db.retry import for_requests
from shared.db.row_level_security import ALL_TENANTS
from shared.errors import Inconclusive
from shared.jobs import transact
from shared.log import get_logger
from shared.restore import store
from shared.restore.model import Installation, NotReached, Outside
from shared.restore.watch import of as watch_of


T = TypeVar("T")
HELD: Final = "restore_held"
_ASK_AGAIN_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Look:
    """What is outside; `is_checked` says whether it is known, and recent enough to go by."""

    outside: Outside | None
    is_checked: bool


def outward(app: App, function: str, work: Callable[[], T], held: T, *, may_go_unchecked: bool = False) -> T:
    """Does the work of a job that acts outward or removes, between two rises of the mark.

    `held` is the result while the database is held, and nothing is done then. While the store outside cannot be
    asked, only what can be corrected later may go on unchecked.
    """
    look = _look(app, app.now())
    if not look.is_checked and not may_go_unchecked:
        get_logger().error("restore_not_checked", function=function)
        return held
    if not _begin(app, function, look):
        return held
    try:
        return work()
    finally:
        _end(app)


def outward_installation(app: App) -> Installation | None:
    """For what acts outward beside a request; None while it is to wait: the database is held, or nobody can tell."""
    found, is_checked = _standing(app)
    return found if is_checked and not found.is_held else None


def require_not_held(app: App) -> None:
    """For what Microsoft tells, and what would be told to Microsoft.

    Raises:
        Inconclusive: the database is held.
    """
    found, _ = _standing(app)
    if found.is_held:
        raise Inconclusive(
            "TimeTracker's database was restored and its operator is checking it. Nothing was changed. Try again in "
            "five minutes.",
            code=HELD,
            retry_after_seconds=_ASK_AGAIN_SECONDS,
        )


def tell(app: App, found: Installation, *, now: dt.datetime) -> None:
    """Tells the store outside how far this database is.

    Raises:
        NotReached: there is no answer.
    """
    if (watch := watch_of(app)).is_on:
        watch.ask(lambda outside: outside.raise_to(found.public_id, found.at, now=now))


def tell_changes(app: App) -> None:
    """Tells the store outside of the erasures and rights that wait for it; without a store they are nobody's to keep.

    Raises:
        NotReached: there is no answer; the others wait.
    """
    while waiting := transact(app, ALL_TENANTS, store.changes_waiting, reads_only=True):
        if (watch := watch_of(app)).is_on:
            installation, changes = read(app).public_id, [change for _, change in waiting]
            watch.ask(lambda outside, of=installation, some=changes: outside.add(of, some))  # type: ignore[misc]
        rows = [row for row, _ in waiting]
        transact(app, ALL_TENANTS, lambda tx, told=rows: store.remove_changes(tx, told))  # type: ignore[misc]


def read(app: App) -> Installation:
    return transact(app, ALL_TENANTS, store.read, reads_only=True)


def _begin(app: App, function: str, look: Look) -> bool:
    """Raises the mark and tells it; False for a database that is held, or is found to be behind."""
    now, at = app.now(), None if look.outside is None else look.outside.at
    found = transact(app, ALL_TENANTS, lambda tx: store.raise_unless_held(tx, at, now=now))
    if found.held_reason is not None:
        get_logger().error(HELD, function=function, reason=found.held_reason.value)
        return False
    if _tell_if_reached(app, found, now):
        watch_of(app).note(now)
    return True


def _end(app: App) -> None:
    now = app.now()
    found = transact(app, ALL_TENANTS, lambda tx: store.raise_mark(tx, now=now))
    if not found.is_held and _tell_if_reached(app, found, now):
        _tell_changes_if_reached(app)


def _tell_if_reached(app: App, found: Installation, now: dt.datetime) -> bool:
    """What is not told now is told with the next mark: outside there is then an earlier one, which holds nobody."""
    try:
        tell(app, found, now=now)
    except NotReached:
        return False
    return True


def _tell_changes_if_reached(app: App) -> None:
    try:
        tell_changes(app)
    except NotReached:
        get_logger().info("restore_changes_wait")


def _look(app: App, now: dt.datetime) -> Look:
    watch = watch_of(app)
    if not watch.is_on:
        return Look(None, is_checked=True)
    installation = read(app).public_id
    try:
        return Look(watch.ask(lambda outside: outside.read(installation)), is_checked=True)
    except NotReached:
        return Look(None, is_checked=watch.is_fresh(now))


def _standing(app: App) -> tuple[Installation, bool]:
    """The database's row, and whether it is known not to be behind: asked outside once an hour in each process."""
    now, watch = app.now(), watch_of(app)
    found = transact(app, ALL_TENANTS, store.read, reads_only=True, retry=for_requests())
    if found.is_held or not watch.is_on or watch.is_fresh(now):
        return found, True
    try:
        outside = watch.ask_at_once(lambda outside: outside.read(found.public_id))
    except NotReached:
        return found, False
    at = None if outside is None else outside.at

    def compare(tx: sa.Connection) -> Installation:
        return store.hold_if_behind(tx, at, now=now)

    compared = transact(app, ALL_TENANTS, compare, retry=for_requests())
    if compared.held_reason is not None:
        get_logger().error(HELD, reason=compared.held_reason.value)
    else:
        watch.note(now)
    return compared, True
