"""Computes from their joins the projects that count as one; pure."""

from collections.abc import Iterable
from dataclasses import replace

from shared.errors import Conflict
from timers.projects.model import Project


def joined(projects: Iterable[Project], project: Project, target: Project) -> list[Project]:
    """The projects that change when `project` is joined to `target`: all that counted as it count as the target does.

    Raises:
        Conflict: they cannot be joined, or are joined already.
    """
    if project.organization_id != target.organization_id:
        raise Conflict(
            f"{project.name} is in {project.organization} and {target.name} in {target.organization}. Only projects of "
            "the same Azure DevOps organization can be joined.",
            code="other_organization",
        )
    if project.joined_to is not None:
        raise Conflict(f"{project.name} is joined to another project. Separate it first.", code="project_joined")
    if project.id == target.counts_as:
        raise Conflict(f"{target.name} already counts as {project.name}.", code="project_joined")
    return _with_joins(projects, {project.id: target.id})


def separated(projects: Iterable[Project], project: Project) -> list[Project]:
    """The projects that change when the join of `project` is undone: those joined to it count as it again.

    Raises:
        Conflict: it is not joined to another project.
    """
    if project.joined_to is None:
        raise Conflict(f"{project.name} is not joined to another project.", code="project_not_joined")
    return _with_joins(projects, {project.id: None})


def _with_joins(projects: Iterable[Project], changes: dict[int, int | None]) -> list[Project]:
    before = list(projects)
    joins = {each.id: each.joined_to for each in before} | changes
    after = (replace(each, joined_to=joins[each.id], alias_of=_last_target(joins, each.id)) for each in before)
    return [new for old, new in zip(before, after, strict=True) if new != old]


def _last_target(joins: dict[int, int | None], project: int) -> int | None:
    """The last project in a chain of joins; None for a project that is not joined."""
    target, following = None, joins[project]
    while following is not None:
        target, following = following, joins[following]
    return target
