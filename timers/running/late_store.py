"""Finds a person's entries at and after an instant, and a timer's owner and changes in the log."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import time_entries, timer_log
from shared.db.statements import for_update
from timers.entries.store import ENTRIES, with_days
from timers.model import EventKind, Source, TimeEntry


_entries = time_entries.c
# Manual entries may overlap timers, so they are left out.
_OF_TIMERS: Final = ENTRIES.where(_entries.user_id == bindparam("user"), _entries.source != Source.MANUAL.value)
_AT = bindparam("at", type_=_entries.started_at.type)
_AT_FOR_UPDATE: Final = for_update(
    _OF_TIMERS.where(_entries.started_at <= _AT, _entries.stopped_at > _AT).order_by(_entries.started_at, _entries.id),
    time_entries,
)
_AFTER: Final = _OF_TIMERS.where(_entries.started_at > _AT).order_by(_entries.started_at, _entries.id).limit(1)
_OWNER: Final[sa.Select[Any]] = (
    sa.select(timer_log.c.user_id)
    .where(timer_log.c.tenant_id == bindparam("tenant"), timer_log.c.timer_id == bindparam("timer"))
    .limit(1)
)

_CHANGED_SINCE: Final[sa.Select[Any]] = (
    sa.select(timer_log.c.id)
    .where(
        timer_log.c.tenant_id == bindparam("tenant"),
        timer_log.c.timer_id == bindparam("timer"),
        timer_log.c.event.in_((EventKind.CHANGED.value, EventKind.CORRECTED.value)),
        timer_log.c.reported_late == sa.false(),
        timer_log.c.received_at > bindparam("since", type_=timer_log.c.received_at.type),
    )
    .limit(1)
)


def lock_entries_at(tx: sa.Connection, tenant_id: int, user_id: int, at: dt.datetime) -> list[TimeEntry]:
    """Locks and returns the entries of timers that ran at an instant."""
    return with_days(tx, tenant_id, tx.execute(_AT_FOR_UPDATE, {"tenant": tenant_id, "user": user_id, "at": at}))


def find_first_after(tx: sa.Connection, tenant_id: int, user_id: int, at: dt.datetime) -> TimeEntry | None:
    """The first entry of a timer that started after an instant."""
    rows = tx.execute(_AFTER, {"tenant": tenant_id, "user": user_id, "at": at})
    return next(iter(with_days(tx, tenant_id, rows)), None)


def find_owner(tx: sa.Connection, tenant_id: int, timer_id: uuid.UUID) -> int | None:
    """The user whose timer or entry has, or had, this id, by the timer log."""
    return tx.execute(_OWNER, {"tenant": tenant_id, "timer": timer_id}).scalar()


def is_changed_since(tx: sa.Connection, tenant_id: int, timer_id: uuid.UUID, since: dt.datetime) -> bool:
    """Whether a person has changed the running timer or corrected its entry after an instant."""
    return tx.execute(_CHANGED_SINCE, {"tenant": tenant_id, "timer": timer_id, "since": since}).first() is not None
