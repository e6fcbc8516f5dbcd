"""Which projects count as one, from which was joined with which; pure."""

from collections.abc import Iterable
from dataclasses import replace

from shared.errors import Conflict
from timers.projects.model import Project


def joined(projects: Iterable[Project], one: Project, to: Project) -> list[Project]:
    """The projects that change when `one` is joined with `to`: what counted as `one` counts as what `to` counts as.

    Raises:
        Conflict: they cannot be one, or are already.
    """
    if one.organization_id != to.organization_id:
        raise Conflict(
            f"{one.name} is a project of {one.organization} and {to.name} one of {to.organization}. Only projects of "
            "one organization can count as one.",
            code="other_organization",
        )
    if one.joined_to is not None:
        raise Conflict(f"{one.name} is joined with another project. Undo that first.", code="project_joined")
    if one.id == to.counts_as:
        raise Conflict(f"{to.name} counts as {one.name} already.", code="project_joined")
    return _changed(projects, {one.id: to.id})


def separated(projects: Iterable[Project], one: Project) -> list[Project]:
    """The projects that change when the join of `one` is undone: it counts as itself, with what was joined with it.

    Raises:
        Conflict: it is joined with none.
    """
    if one.joined_to is None:
        raise Conflict(f"{one.name} is joined with no other project.", code="project_not_joined")
    return _changed(projects, {one.id: None})


def _changed(projects: Iterable[Project], to: dict[int, int | None]) -> list[Project]:
    before = list(projects)
    joins = {each.id: each.joined_to for each in before} | to
    after = (replace(each, joined_to=joins[each.id], alias_of=_end(joins, each.id)) for each in before)
    return [new for old, new in zip(before, after, strict=True) if new != old]


def _end(joins: dict[int, int | None], project: int) -> int | None:
    """Where the joins of a project lead; None where it has none."""
    end, following = None, joins[project]
    while following is not None:
        end, following = following, joins[following]
    return end
