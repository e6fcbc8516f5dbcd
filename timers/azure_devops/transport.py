"""Requests to Azure DevOps and their responses as JSON, with the caller's own token."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from shared.deadline import Deadline
from shared.http_client import HttpClient, NoResponse, Request, Response


# Without these three a refused token gives redirects to a sign-in page.
_HEADERS: Final = {
    "X-TFS-FedAuthRedirect": "Suppress",
    "X-VSS-ForceMsaPassThrough": "true",
    "X-VSS-ReauthenticationAction": "Suppress",
}
_JSON: Final = {"application/json", "text/json"}


@dataclass(frozen=True, slots=True)
class AzureDevOpsRequest:
    """`path` follows the host. The token is in no repr."""

    method: str
    path: str
    token: str = field(repr=False)
    body: Any = None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class AzureDevOpsResponse:
    """`document` is None if the body is not JSON, or its media type is another one."""

    status: int
    is_json: bool
    document: Any
    retry_after: str | None


class AzureDevOpsTransport:
    """The only way to Azure DevOps: no other address can be reached with a caller's token."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._http = HttpClient("azure-devops", f"{base}/", headers=_HEADERS)

    def send(self, request: AzureDevOpsRequest, deadline: Deadline) -> AzureDevOpsResponse | NoResponse:
        body = None if request.body is None else json.dumps(request.body, allow_nan=False).encode()
        headers = {"Authorization": f"Bearer {request.token}", "Content-Type": request.media_type}
        response = self._http.send(Request(request.method, f"{self._base}{request.path}", headers, body), deadline)
        return response if isinstance(response, NoResponse) else _parse(response)

    def close(self) -> None:
        self._http.close()


def _parse(response: Response) -> AzureDevOpsResponse:
    is_json = response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _JSON
    document = None
    if is_json:
        try:
            document = json.loads(response.body, parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, RecursionError):
            document = None
    return AzureDevOpsResponse(response.status, is_json, document, response.headers.get("Retry-After"))


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON
