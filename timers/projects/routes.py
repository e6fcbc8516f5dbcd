"""The HTTP functions of projects: list, join and separate them."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from timers.projects import service as projects_service
from timers.projects.schemas import JoinProject, ProjectList, ProjectsQuery
from timers.projects.store import find_all, find_own_ids
from timers.search_rules import Search, rank_name, top_matches


blueprint = func.Blueprint()
_TAG: Final = "projects"
_MAX_FOUND: Final = 20


@route(
    blueprint,
    Operation(
        id="list_projects",
        method=HTTPMethod.GET,
        path="projects",
        tag=_TAG,
        query=ProjectsQuery,
        answers={200: Answer("The projects", ProjectList)},
    ),
)
def list_projects(call: Call, query: ProjectsQuery) -> Reply:
    """List projects.

    For admins all projects with time entries, for others those of their running timer and their newest 2,000 entries.
    By organization and name; with `search` the 20 best matches. Names that look alike are one project. A project that
    was renamed in Azure DevOps is listed under both names until they are joined.
    """
    with call.transaction() as tx:
        tenant_id = call.caller.tenant.id
        projects = find_all(tx, tenant_id)
        visible = projects
        if not call.sees_everyone:
            own = find_own_ids(tx, tenant_id, call.caller.user.id)
            visible = [each for each in projects if each.id in own]
        if query.search is not None:
            search = Search.parse(query.search)
            visible = top_matches(visible, lambda each: rank_name(search, each.name), limit=_MAX_FOUND)
        return call.answer(tx, HTTPStatus.OK, ProjectList.of(projects, visible))


@route(
    blueprint,
    Operation(
        id="join_project",
        method=HTTPMethod.POST,
        path="projects/{id}/join",
        tag=_TAG,
        body=JoinProject,
        locks_tenant=True,
        answers={200: Answer("All projects after the change", ProjectList)},
        problems=merge_problems(NOT_FOUND, {409: ("other_organization", "project_joined")}),
    ),
)
def join_project(call: Call, body: JoinProject) -> Reply:
    """Join a project to another one.

    For a project that was renamed: join the old name to the new one. Reports, filters and lists then show the time
    of both, and of all projects joined before, under the other name. No time entry changes, and it can be undone.
    """
    with call.transaction() as tx:
        projects = projects_service.join(call.work(tx), public_id(call.path("id")), body.project_id)
        return call.answer(tx, HTTPStatus.OK, ProjectList.of(projects))


@route(
    blueprint,
    Operation(
        id="separate_project",
        method=HTTPMethod.DELETE,
        path="projects/{id}/join",
        tag=_TAG,
        locks_tenant=True,
        answers={200: Answer("All projects after the change", ProjectList)},
        problems=merge_problems(NOT_FOUND, {409: ("project_not_joined",)}),
    ),
)
def separate_project(call: Call) -> Reply:
    """Undo the join of a project.

    The project counts as itself again, together with the projects joined to it.
    """
    with call.transaction() as tx:
        projects = projects_service.separate(call.work(tx), public_id(call.path("id")))
        return call.answer(tx, HTTPStatus.OK, ProjectList.of(projects))
