"""The emulator: its routes."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra import device
from devcloud.emulators.entra.admin import Admin
from devcloud.emulators.entra.authorize import authorize
from devcloud.emulators.entra.clients import OPENID_SCOPES
from devcloud.emulators.entra.faults import Faults
from devcloud.emulators.entra.grants import Grants, basic_credentials
from devcloud.emulators.entra.keyring import KeyRing
from devcloud.emulators.entra.oauth import OAuthError, error_response, json_response
from devcloud.emulators.entra.page import signed_out_page, start_page
from devcloud.emulators.entra.people import DIRECTORIES
from devcloud.emulators.server import serving
from shared import clock


PORT: Final = 7072
_ANY_ORGANIZATION: Final = {"common", "organizations"}
_ADDRESSES: Final = Map(
    [
        Rule("/", endpoint="start_page", methods=["GET"]),
        Rule("/<tenant>/v2.0/.well-known/openid-configuration", endpoint="discovery", methods=["GET", "OPTIONS"]),
        Rule("/<tenant>/discovery/v2.0/keys", endpoint="keys", methods=["GET", "OPTIONS"]),
        Rule("/<tenant>/discovery/keys", endpoint="keys_v1", methods=["GET", "OPTIONS"]),
        Rule("/<tenant>/oauth2/v2.0/authorize", endpoint="authorize", methods=["GET", "POST"]),
        Rule("/<tenant>/oauth2/v2.0/token", endpoint="token", methods=["POST", "OPTIONS"]),
        Rule("/<tenant>/oauth2/v2.0/devicecode", endpoint="devicecode", methods=["POST"]),
        Rule(f"/{device.PATH}", endpoint="device_page", methods=["GET", "POST"]),
        Rule("/<tenant>/oauth2/v2.0/logout", endpoint="logout", methods=["GET"]),
        Rule("/admin/<command>", endpoint="admin"),
    ]
)


class Entra:
    """A WSGI application; `url` is its authority."""

    def __init__(self, url: str, data: Path, now: Callable[[], dt.datetime] = clock.now) -> None:
        self.url = url
        self.keys = KeyRing(data / "entra" / "keys.json")
        self.faults = Faults()
        self.admin = Admin(url, self.keys, self.faults, now)
        self._grants = Grants(url, self.keys, now)
        self._now = now

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, values = _ADDRESSES.bind_to_environ(environ).match()
            response = self._respond(request, endpoint, **values)
        except OAuthError as error:
            response = error_response(error, now=self._now(), trace=clock.new_id())
        except HTTPException as error:
            return error(environ, start_response)
        return response(environ, start_response)

    def _respond(self, request: Request, endpoint: str, *, tenant: str = "", command: str = "") -> Response:
        if endpoint == "admin":
            return self.admin.respond(request, command)
        if endpoint == "start_page":
            return start_page(self.url)
        if endpoint == "device_page":
            return self._grants.devices.respond(request)
        if request.method == "OPTIONS":
            return _preflight()
        if (fault_response := self.faults.apply(endpoint)) is not None:
            return fault_response
        return self._work(request, endpoint, tenant, _directory(tenant))

    def _work(self, request: Request, endpoint: str, tenant: str, tid: str | None) -> Response:
        match endpoint:
            case "discovery":
                return json_response(self._discovery(tenant, tid))
            case "keys":
                return json_response(self._key_set(f"{self.url}/{{tenantid}}/v2.0"))
            case "keys_v1":
                return json_response(self._key_set("https://sts.windows.net/{tenantid}/"))
            case "token" | "devicecode":
                return json_response(self._issue(request, endpoint, tid))
            case "authorize":
                return authorize(request, tid, self._grants)
        return signed_out_page()

    def _issue(self, request: Request, endpoint: str, tid: str | None) -> dict[str, Any]:
        if endpoint == "devicecode":
            return self._grants.devices.start(tid, request.form)
        return self._grants.respond(tid, request.form, basic_credentials(request.headers.get("Authorization")))

    def _key_set(self, issuer: str) -> dict[str, Any]:
        return {"keys": [pair.jwk(issuer) for pair in self.keys.published]}

    def _discovery(self, tenant: str, tid: str | None) -> dict[str, Any]:
        base = f"{self.url}/{tenant}"
        return {
            "issuer": f"{self.url}/{tid or '{tenantid}'}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment"],
            "grant_types_supported": [
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "password",
                device.GRANT,
            ],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": list(OPENID_SCOPES),
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "none"],
        }


@contextmanager
def running(data: Path, *, port: int = PORT, now: Callable[[], dt.datetime] = clock.now) -> Iterator[Entra]:
    """Runs the emulator until the block ends; port 0 takes a free port.

    Raises:
        PortUnusable: the port is in use, or the system refuses it.
    """
    emulators: list[Entra] = []

    def make(url: str) -> Entra:
        emulators.append(Entra(url, data, now))
        return emulators[0]

    with serving(make, port=port):
        try:
            yield emulators[0]
        finally:
            emulators[0].faults.clear()  # ends waiting requests


def _directory(tenant: str) -> str | None:
    if tenant in _ANY_ORGANIZATION:
        return None
    if tenant not in DIRECTORIES:
        raise OAuthError("invalid_request", 90002, f"Tenant '{tenant}' not found.")
    return tenant


def _preflight() -> Response:
    allowed = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Max-Age": "600",
    }
    return Response(status=204, headers=allowed)
