"""Admin commands: faults, tokens, the response to a refused sign-in, and changes by other people."""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from werkzeug.wrappers import Request, Response

from devcloud.emulators import admin
from devcloud.emulators.admin import AdminCommandError
from devcloud.emulators.azure_devops.errors import AzureDevOpsError
from devcloud.emulators.azure_devops.tokens import TokenUser, mint
from devcloud.emulators.azure_devops.workspace import Workspace
from devcloud.emulators.entra.people import Person, find_person
from devcloud.emulators.faults import Fault


Endpoint = Literal["work_item", "batch", "wiql", "update", "updates", "connection", "type_fields", "type_states"]
_FAULTS: Final = TypeAdapter(dict[Endpoint, Fault])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignInShape(_Body):
    """The response to a refused sign-in; `auto` is 401 with X-TFS-FedAuthRedirect: Suppress, otherwise 302."""

    sign_in: Literal["auto", "200", "203", "302", "401"]


class TokenRequest(_Body):
    """A token of a demo person; `claims` replace the usual ones, `lifetime` is in seconds."""

    person: str = "ada"
    claims: dict[str, Any] = {}
    lifetime: int | None = None


class Edit(_Body):
    """A colleague's change; `fields` by reference name."""

    id: int
    fields: dict[str, Any]
    person: str = "ada"
    organization: str = "contoso"


class Link(_Body):
    id: int
    organization: str = "contoso"


class Admin:
    def __init__(self, workspace: Workspace, now: Callable[[], dt.datetime]) -> None:
        self._workspace, self._now = workspace, now

    def handle(self, request: Request, command: str) -> Response:
        return admin.respond(request, command, self._execute, (AzureDevOpsError,))

    def _execute(self, command: str, document: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        workspace = self._workspace
        match command:
            case "POST faults":
                workspace.faults.set(_FAULTS.validate_python(document))
            case "DELETE faults":
                workspace.faults.clear()
            case "GET stats":
                return {"hits": workspace.faults.hits()}
            case "POST sign-in":
                workspace.sign_in_shape = SignInShape.model_validate(document).sign_in
            case "POST token":
                return {"token": self.token(TokenRequest.model_validate(document))}
            case "POST edit":
                edit = Edit.model_validate(document)
                return workspace.board(edit.organization).edit(
                    edit.id, edit.fields, TokenUser.of(_find_person(edit.person))
                )
            case "POST link":
                link = Link.model_validate(document)
                workspace.board(link.organization).link(link.id)
            case "POST reset":
                workspace.reset()
            case _:
                raise AdminCommandError(f"unknown command {command}")
        return {}

    def token(self, request: TokenRequest) -> str:
        """Raises AdminCommandError for an unknown person."""
        claims = dict(request.claims)
        if request.lifetime is not None:
            claims["exp"] = int(self._now().timestamp()) + request.lifetime
        return mint(TokenUser.of(_find_person(request.person)), **claims)


def _find_person(name: str) -> Person:
    person = find_person(name)
    if person is None:
        raise AdminCommandError(f"unknown person {name!r}")
    return person
