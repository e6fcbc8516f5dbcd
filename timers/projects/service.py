"""Joins projects that are one, and undoes it, on record. No row of time changes: what counts as one is added up so."""

import datetime as dt
import uuid
from collections.abc import Callable

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.errors import NotFound
from shared.tenancy.model import Caller
from shared.tenancy.store import lock_tenant
from shared.work import Actor
from timers.projects import rules as projects_rules
from timers.projects import store
from timers.projects.model import Project


NewId = Callable[[], uuid.UUID]


def join(
    tx: sa.Connection,
    caller: Caller,
    wanted: uuid.UUID | None,
    to: uuid.UUID | None,
    *,
    now: dt.datetime,
    new_id: NewId,
) -> list[Project]:
    """Has one project count as another, with all that counts as it; every project of the tenant, as it is then.

    Raises:
        NotFound: the tenant has no such project.
        Conflict: they cannot be one, or are already.
    """
    projects = _held(tx, caller)
    one, other = _find(projects, wanted), _find(projects, to)
    store.write_joins(tx, caller.tenant.id, projects_rules.joined(projects, one, other))
    _record(tx, caller, Action.PROJECT_JOINED, one, other, now=now, new_id=new_id)
    return store.find_all(tx, caller.tenant.id)


def separate(
    tx: sa.Connection, caller: Caller, wanted: uuid.UUID | None, *, now: dt.datetime, new_id: NewId
) -> list[Project]:
    """Undoes the join of a project; every project of the tenant, as it is then.

    Raises:
        NotFound: the tenant has no such project.
        Conflict: it is joined with none.
    """
    projects = _held(tx, caller)
    one = _find(projects, wanted)
    store.write_joins(tx, caller.tenant.id, projects_rules.separated(projects, one))
    other = next(each for each in projects if each.id == one.joined_to)
    _record(tx, caller, Action.PROJECT_SEPARATED, one, other, now=now, new_id=new_id)
    return store.find_all(tx, caller.tenant.id)


def _held(tx: sa.Connection, caller: Caller) -> list[Project]:
    """The tenant's projects, with the tenant held: of two joins at once each sees the other, so none makes a circle."""
    lock_tenant(tx, caller.tenant.id)
    return store.find_all(tx, caller.tenant.id)


def _find(projects: list[Project], wanted: uuid.UUID | None) -> Project:
    found = next((each for each in projects if each.public_id == wanted), None)
    if found is None:
        raise NotFound("There is no such project here.")
    return found


def _record(
    tx: sa.Connection,
    caller: Caller,
    action: Action,
    one: Project,
    other: Project,
    *,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    audit.record_row(
        tx,
        caller.tenant.id,
        action,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=new_id(),
        after={"projectId": str(one.public_id), "joinedTo": str(other.public_id)},
    )
