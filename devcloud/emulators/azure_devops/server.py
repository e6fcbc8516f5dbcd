"""The emulator: routes and access checks."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from devcloud.emulators.azure_devops import api
from devcloud.emulators.azure_devops.admin import Admin
from devcloud.emulators.azure_devops.errors import AzureDevOpsError, NotSignedIn, error_response, sign_in_response
from devcloud.emulators.azure_devops.items import directory_of
from devcloud.emulators.azure_devops.page import organization_page, start_page
from devcloud.emulators.azure_devops.tokens import parse_token
from devcloud.emulators.azure_devops.workspace import Workspace
from devcloud.emulators.server import SEND_RATE, serving
from shared import clock


PORT: Final = 7074
_APIS: Final = "/_apis/"


def _rules() -> Iterator[Rule]:
    for prefix in ("/<organization>", "/<organization>/<project>"):
        base = f"{prefix}{_APIS}wit"
        yield Rule(f"{base}/workitems/<int:number>", endpoint="work_item", methods=["GET"])
        yield Rule(f"{base}/workitems/<int:number>", endpoint="update", methods=["PATCH"])
        yield Rule(f"{base}/workitems/<int:number>/updates", endpoint="updates", methods=["GET"])
        yield Rule(f"{base}/workitemsbatch", endpoint="batch", methods=["POST"])
        yield Rule(f"{base}/wiql", endpoint="wiql", methods=["POST"])
    of_type = f"/<organization>/<project>{_APIS}wit/workitemtypes/<kind>"
    yield Rule(f"{of_type}/fields", endpoint="type_fields", methods=["GET"])
    yield Rule(f"{of_type}/states", endpoint="type_states", methods=["GET"])
    yield Rule(f"/<organization>{_APIS}connectiondata", endpoint="connection", methods=["GET"])
    yield Rule("/admin/<command>", endpoint="admin")
    yield Rule("/", endpoint="start_page", methods=["GET"])
    yield Rule("/<organization>", endpoint="organization_page", methods=["GET"])


_ADDRESSES: Final = Map(list(_rules()))


class AzureDevOps:
    """A WSGI application; `{url}/{organization}` stands for `https://dev.azure.com/{organization}`."""

    def __init__(self, url: str, now: Callable[[], dt.datetime] = clock.now) -> None:
        self.url = url
        self.workspace = Workspace(url, now)
        self.admin = Admin(self.workspace, now)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        before, apis, after = request.path.partition(_APIS)
        try:
            # The service ignores the case of its own path segments, not of names.
            endpoint, values = _ADDRESSES.bind_to_environ(environ).match(f"{before}{apis}{after.lower()}")
            response = self._respond(request, endpoint, values)
        except HTTPException as error:
            return error(environ, start_response)
        return response(environ, start_response)

    def _respond(self, request: Request, endpoint: str, values: Mapping[str, Any]) -> Response:
        if endpoint == "admin":
            return self.admin.handle(request, values["command"])
        if endpoint == "start_page":
            return start_page()
        directory = directory_of(values["organization"])
        if directory is None:
            return Response("<html><title>404</title></html>", 404, content_type="text/html")
        if endpoint == "organization_page":
            name = values["organization"].lower()
            return organization_page(name, self.workspace.board(name))
        pace, faults = request.environ[SEND_RATE], self.workspace.faults
        response = faults.wrap(endpoint, pace, lambda: self._work(request, endpoint, values, directory.tid))
        response.headers["X-VSS-ResourceTenant"] = directory.tid
        return response

    def _work(self, request: Request, endpoint: str, values: Mapping[str, Any], tid: str) -> Response:
        organization = values["organization"].lower()
        try:
            user = parse_token(request.headers.get("Authorization"))
            user.check_organization(organization)
            return api.handle(request, endpoint, self.workspace.board(organization), user, values)
        except AzureDevOpsError as error:
            return error_response(error)
        except NotSignedIn:
            shape = self.workspace.sign_in_shape
            suppressed = request.headers.get("X-TFS-FedAuthRedirect", "").lower() == "suppress"
            status = ("401" if suppressed else "302") if shape == "auto" else shape
            return sign_in_response(status, tid=tid, location=f"{self.url}/_signin")


@contextmanager
def running(*, port: int = PORT, now: Callable[[], dt.datetime] = clock.now) -> Iterator[AzureDevOps]:
    """Runs the emulator until the block ends; port 0 takes a free port.

    Raises:
        PortUnusable: the port is in use, or the system refuses it.
    """
    emulators: list[AzureDevOps] = []

    def make(url: str) -> AzureDevOps:
        emulators.append(AzureDevOps(url, now))
        return emulators[0]

    with serving(make, port=port):
        try:
            yield emulators[0]
        finally:
            emulators[0].workspace.faults.clear()  # ends waiting requests
