"""Decides whether this database may have external effects: compares its mark with the stored one, and increments both.

The stored mark is read before the database's own, and written after that is committed. So it is never ahead of the
database in use, and a database behind it was restored from a backup, or is a copy.
"""

import datetime as dt
from collections.abc import Callable, Sequence
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
from shared.restore.mark_client import of as mark_client_of
from shared.restore.model import Installation, MarkTableUnavailable, PrivacyChange, StoredMark


T = TypeVar("T")
HELD: Final = "restore_held"
_RETRY_AFTER_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class MarkCheck:
    """The stored mark, if any; `is_valid` says whether it was read just now, or by this process within an hour."""

    stored: StoredMark | None
    is_valid: bool


def run_unless_held(app: App, function: str, work: Callable[[], T], held: T, *, allow_unchecked: bool = False) -> T:
    """Runs a job with external effects or a removal of data, between two increments of the mark.

    Returns `held` without running it if the database is held. While the mark table is unavailable, only a job whose
    effects can be corrected later may run unchecked.
    """
    check = _check_mark(app, app.now())
    if not check.is_valid and not allow_unchecked:
        get_logger().error("restore_not_checked", function=function)
        return held
    if not _begin(app, function, check):
        return held
    try:
        return work()
    finally:
        _end(app)


def find_active_installation(app: App) -> Installation | None:
    """For outward actions beside a request; None if the database is held, or cannot be checked."""
    installation, is_checked = _check_installation(app)
    return installation if is_checked and not installation.is_held else None


def require_not_held(app: App) -> None:
    """For events from Microsoft, and calls to Microsoft.

    Raises:
        Inconclusive: the database is held.
    """
    installation, _ = _check_installation(app)
    if installation.is_held:
        raise Inconclusive(
            "TimeTracker's database was restored and its operator is checking it. Nothing was changed. Try again in "
            "five minutes.",
            code=HELD,
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        )


def publish_mark(app: App, installation: Installation, *, now: dt.datetime) -> None:
    """Copies the mark of this database to the mark table.

    Raises:
        MarkTableUnavailable: there is no response in time.
    """
    if (client := mark_client_of(app)).is_on:
        client.call(lambda table: table.raise_to(installation.public_id, installation.mark, now=now))


def publish_changes(app: App) -> None:
    """Copies pending erasures and rights to the mark table; without a table they are only removed from the outbox.

    Raises:
        MarkTableUnavailable: there is no response in time; the other changes remain pending.
    """
    while pending := transact(app, ALL_TENANTS, store.list_pending_changes, reads_only=True):
        _publish_batch(app, pending)


def _publish_batch(app: App, pending: Sequence[tuple[int, PrivacyChange]]) -> None:
    if (client := mark_client_of(app)).is_on:
        installation, changes = read_installation(app).public_id, [change for _, change in pending]
        client.call(lambda table: table.add_changes(installation, changes))
    rows = [row for row, _ in pending]
    transact(app, ALL_TENANTS, lambda tx: store.remove_changes(tx, rows))


def read_installation(app: App) -> Installation:
    return transact(app, ALL_TENANTS, store.read, reads_only=True)


def _begin(app: App, function: str, check: MarkCheck) -> bool:
    """Raises the mark and publishes it; False if the database is held, or is behind."""
    now, stored = app.now(), None if check.stored is None else check.stored.mark
    installation = transact(app, ALL_TENANTS, lambda tx: store.raise_unless_held(tx, stored, now=now))
    if installation.held_reason is not None:
        get_logger().error(HELD, function=function, reason=installation.held_reason.value)
        return False
    if _try_to_publish_mark(app, installation, now):
        mark_client_of(app).note_checked(now)
    return True


def _end(app: App) -> None:
    now = app.now()
    installation = transact(app, ALL_TENANTS, lambda tx: store.raise_mark(tx, now=now))
    if not installation.is_held and _try_to_publish_mark(app, installation, now):
        _try_to_publish_changes(app)


def _try_to_publish_mark(app: App, installation: Installation, now: dt.datetime) -> bool:
    """After a failure the next mark is published; until then the stored mark is earlier, which holds no database."""
    try:
        publish_mark(app, installation, now=now)
    except MarkTableUnavailable:
        return False
    return True


def _try_to_publish_changes(app: App) -> None:
    try:
        publish_changes(app)
    except MarkTableUnavailable:
        get_logger().info("restore_changes_pending")


def _check_mark(app: App, now: dt.datetime) -> MarkCheck:
    client = mark_client_of(app)
    if not client.is_on:
        return MarkCheck(None, is_valid=True)
    installation = read_installation(app).public_id
    try:
        return MarkCheck(client.call(lambda table: table.read(installation)), is_valid=True)
    except MarkTableUnavailable:
        return MarkCheck(None, is_valid=client.is_fresh(now))


def _check_installation(app: App) -> tuple[Installation, bool]:
    """The database's row, and whether it was compared with the stored mark; each process compares once an hour."""
    now, client = app.now(), mark_client_of(app)
    installation = transact(app, ALL_TENANTS, store.read, reads_only=True, retry=for_requests())
    if installation.is_held or not client.is_on or client.is_fresh(now):
        return installation, True
    try:
        stored = client.call_briefly(lambda table: table.read(installation.public_id))
    except MarkTableUnavailable:
        return installation, False
    mark = None if stored is None else stored.mark

    def compare(tx: sa.Connection) -> Installation:
        return store.hold_if_behind(tx, mark, now=now)

    compared = transact(app, ALL_TENANTS, compare, retry=for_requests())
    if compared.held_reason is not None:
        get_logger().error(HELD, reason=compared.held_reason.value)
    else:
        client.note_checked(now)
    return compared, True
