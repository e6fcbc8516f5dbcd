"""The HTTP functions of projects: list them, have two count as one, and undo that."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from timers.projects import service as projects_service
from timers.projects.schemas import JoinProject, ProjectList
from timers.projects.store import find_all


blueprint = func.Blueprint()
_TAG: Final = "projects"


@route(
    blueprint,
    Operation(
        id="list_projects",
        method=HTTPMethod.GET,
        path="projects",
        tag=_TAG,
        answers={200: Answer("All of them", ProjectList)},
    ),
)
def list_projects(call: Call) -> Reply:
    """The projects that time is on.

    By organization and name. Names that look the same are one project; a project that was renamed in Azure DevOps
    appears under both names, until it is joined.
    """
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, ProjectList.of(find_all(tx, call.caller.tenant.id)))


@route(
    blueprint,
    Operation(
        id="join_project",
        method=HTTPMethod.POST,
        path="projects/{id}/join",
        tag=_TAG,
        body=JoinProject,
        locks_tenant=True,
        answers={200: Answer("Every project, as it counts now", ProjectList)},
        problems=merge_problems(NOT_FOUND, {409: ("other_organization", "project_joined")}),
    ),
)
def join_project(call: Call, body: JoinProject) -> Reply:
    """Have a project count as another one.

    For a project that was renamed: join the one of the old name with that of the new name. Reports, filters and lists
    then show their time under the other name, with all that counted as this one. No time is changed, and it can be
    undone.
    """
    with call.transaction() as tx:
        projects = projects_service.join(
            tx, call.caller, public_id(call.path("id")), body.project_id, now=call.now, new_id=call.app.new_id
        )
        return call.answer(tx, HTTPStatus.OK, ProjectList.of(projects))


@route(
    blueprint,
    Operation(
        id="separate_project",
        method=HTTPMethod.DELETE,
        path="projects/{id}/join",
        tag=_TAG,
        locks_tenant=True,
        answers={200: Answer("Every project, as it counts now", ProjectList)},
        problems=merge_problems(NOT_FOUND, {409: ("project_not_joined",)}),
    ),
)
def separate_project(call: Call) -> Reply:
    """Undo that a project counts as another one.

    It counts as itself again, with what was joined with it.
    """
    with call.transaction() as tx:
        projects = projects_service.separate(
            tx, call.caller, public_id(call.path("id")), now=call.now, new_id=call.app.new_id
        )
        return call.answer(tx, HTTPStatus.OK, ProjectList.of(projects))
