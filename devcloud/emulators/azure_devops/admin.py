"""What tests and developers may order: trouble, tokens, the shape of a refused sign-in, and other people's changes."""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from werkzeug.wrappers import Request, Response

from devcloud.emulators import admin
from devcloud.emulators.admin import OrderRefused
from devcloud.emulators.azure_devops.refusal import Refused
from devcloud.emulators.azure_devops.tokens import Visitor, mint
from devcloud.emulators.azure_devops.workspace import Workspace
from devcloud.emulators.entra.people import Person, find_person
from devcloud.emulators.faults import Fault


Endpoint = Literal["work_item", "batch", "update", "updates", "connection", "type_fields", "type_states"]
_FAULTS: Final = TypeAdapter(dict[Endpoint, Fault])


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignInShape(_Order):
    """How a refused sign-in looks; `auto` is 401 for who sends X-TFS-FedAuthRedirect: Suppress, and 302 otherwise."""

    sign_in: Literal["auto", "200", "203", "302", "401"]


class TokenOrder(_Order):
    """A demo person's token; claims replace those it would have, and `lifetime` is in seconds."""

    person: str = "ada"
    claims: dict[str, Any] = {}
    lifetime: int | None = None


class Edit(_Order):
    """What a colleague changes; `fields` by their reference names."""

    id: int
    fields: dict[str, Any]
    person: str = "ada"
    organization: str = "contoso"


class Link(_Order):
    id: int
    organization: str = "contoso"


class Admin:
    def __init__(self, workspace: Workspace, now: Callable[[], dt.datetime]) -> None:
        self._workspace, self._now = workspace, now

    def answer(self, request: Request, order: str) -> Response:
        return admin.answer(request, order, self._carry_out, (Refused,))

    def _carry_out(self, order: str, given: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        workspace = self._workspace
        match order:
            case "POST faults":
                workspace.faults.order(_FAULTS.validate_python(given))
            case "DELETE faults":
                workspace.faults.clear()
            case "GET stats":
                return {"hits": workspace.faults.hits()}
            case "POST sign-in":
                workspace.sign_in_shape = SignInShape.model_validate(given).sign_in
            case "POST token":
                return {"token": self.token(TokenOrder.model_validate(given))}
            case "POST edit":
                edit = Edit.model_validate(given)
                return workspace.board(edit.organization).edit(edit.id, edit.fields, Visitor.of(_known(edit.person)))
            case "POST link":
                link = Link.model_validate(given)
                workspace.board(link.organization).link(link.id)
            case "POST reset":
                workspace.reset()
            case _:
                raise OrderRefused(f"there is no {order}")
        return {}

    def token(self, order: TokenOrder) -> str:
        """Raises OrderRefused when nobody is called that."""
        claims = dict(order.claims)
        if order.lifetime is not None:
            claims["exp"] = int(self._now().timestamp()) + order.lifetime
        return mint(Visitor.of(_known(order.person)), **claims)


def _known(name: str) -> Person:
    person = find_person(name)
    if person is None:
        raise OrderRefused(f"nobody is called {name!r}")
    return person
