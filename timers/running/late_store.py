"""Reads what lies around an instant in a person's time, and whose a timer's id is."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, timer_log
from shared.db.statements import for_update
from timers.entries.store import ENTRIES, with_days
from timers.model import Source, TimeEntry, WorkItem


_entries = time_entries.c
# Time that was entered by hand may lie anywhere: no timer ran in it.
_TIMED: Final = ENTRIES.where(_entries.user_id == bindparam("user"), _entries.source != Source.MANUAL.value)
_AT = bindparam("at", type_=_entries.started_at.type)
_AROUND: Final = for_update(
    _TIMED.where(_entries.started_at <= _AT, _entries.stopped_at > _AT).order_by(_entries.started_at, _entries.id),
    time_entries,
)
_AFTER: Final = _TIMED.where(_entries.started_at > _AT).order_by(_entries.started_at, _entries.id).limit(1)
_USER_OF: Final[sa.Select[Any]] = (
    sa.select(timer_log.c.user_id)
    .where(timer_log.c.tenant_id == bindparam("tenant"), timer_log.c.timer_id == bindparam("timer"))
    .limit(1)
)
_PROJECT: Final[sa.Select[Any]] = sa.select(
    projects.c.id, projects.c.organization_id, projects.c.organization, projects.c.name
).where(projects.c.tenant_id == bindparam("tenant"), projects.c.name_key == bindparam("name_key"))


def entries_around(tx: sa.Connection, tenant_id: int, user_id: int, at: dt.datetime) -> list[TimeEntry]:
    """The entries of timers that ran at an instant, held until the transaction ends."""
    return with_days(tx, tenant_id, tx.execute(_AROUND, {"tenant": tenant_id, "user": user_id, "at": at}))


def first_after(tx: sa.Connection, tenant_id: int, user_id: int, at: dt.datetime) -> TimeEntry | None:
    """The first entry of a timer that began after an instant."""
    rows = tx.execute(_AFTER, {"tenant": tenant_id, "user": user_id, "at": at})
    return next(iter(with_days(tx, tenant_id, rows)), None)


def user_of(tx: sa.Connection, tenant_id: int, timer_id: uuid.UUID) -> int | None:
    """Whose timer or entry an id is or was, as far as the log knows."""
    return tx.execute(_USER_OF, {"tenant": tenant_id, "timer": timer_id}).scalar()


def work_item(tx: sa.Connection, tenant_id: int, *, name_key: str, number: int) -> WorkItem:
    """A work item of a project that is known."""
    project = tx.execute(_PROJECT, {"tenant": tenant_id, "name_key": name_key}).one()
    return WorkItem(project.organization_id, project.id, project.organization, project.name, number)
