"""Joins and separates projects. No time entry changes: reports and lists add up the projects that count as one."""

import uuid

from shared import audit
from shared.audit import Action
from shared.errors import NotFound
from shared.tenancy.store import lock_tenant
from shared.work import Work
from timers.model import WorkItem
from timers.projects import rules as projects_rules
from timers.projects import store
from timers.projects.model import Project


def resolve_work_item(work: Work, organization: str, project: str, number: int) -> WorkItem:
    """A work item by its names; its project is added when it is new."""
    item = store.find_work_item(work.tx, work.tenant.id, organization=organization, project=project, number=number)
    if item is not None:
        return item
    add_project(work, organization, project)
    item = store.find_work_item(work.tx, work.tenant.id, organization=organization, project=project, number=number)
    assert item is not None, "its project was added"  # noqa: S101 - narrows the type
    return item


def add_project(work: Work, organization: str, project: str) -> None:
    """Adds a project to one of the tenant's organizations, unless it has it."""
    store.add(work.tx, work.tenant.id, organization=organization, project=project, public_id=work.new_id())


def join(work: Work, project_id: uuid.UUID | None, target_id: uuid.UUID | None) -> list[Project]:
    """Makes a project, and all that count as it, count as another one; returns all projects.

    Raises:
        NotFound: the tenant has no such project.
        Conflict: they cannot be joined, or are joined already.
    """
    projects = _lock(work)
    project, target = _find(projects, project_id), _find(projects, target_id)
    store.write_joins(work.tx, work.tenant.id, projects_rules.joined(projects, project, target))
    _record(work, Action.PROJECT_JOINED, project, target)
    return store.find_all(work.tx, work.tenant.id)


def separate(work: Work, project_id: uuid.UUID | None) -> list[Project]:
    """Undoes a join; returns all projects.

    Raises:
        NotFound: the tenant has no such project.
        Conflict: the project is not joined with another one.
    """
    projects = _lock(work)
    project = _find(projects, project_id)
    store.write_joins(work.tx, work.tenant.id, projects_rules.separated(projects, project))
    target = next(each for each in projects if each.id == project.joined_to)
    _record(work, Action.PROJECT_SEPARATED, project, target)
    return store.find_all(work.tx, work.tenant.id)


def _lock(work: Work) -> list[Project]:
    """Locks the tenant and returns its projects: of two joins at once the second sees the first, so no cycle forms."""
    lock_tenant(work.tx, work.tenant.id)
    return store.find_all(work.tx, work.tenant.id)


def _find(projects: list[Project], public_id: uuid.UUID | None) -> Project:
    project = next((each for each in projects if each.public_id == public_id), None)
    if project is None:
        raise NotFound("Your organization has no such project in TimeTracker.")
    return project


def _record(work: Work, action: Action, project: Project, target: Project) -> None:
    after = {"projectId": str(project.public_id), "joinedTo": str(target.public_id)}
    audit.record(work, action, after=after)
