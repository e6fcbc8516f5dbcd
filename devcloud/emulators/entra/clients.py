"""The app registrations: clients with redirect URIs, and APIs with scopes."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from devcloud.emulators.entra.oauth import OAuthError


@dataclass(frozen=True, slots=True)
class Api:
    """A resource of tokens, with delegated scopes (`scp`) and app roles (`roles`)."""

    id: str
    name: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Client:
    """An app; without a secret it is a public client and uses PKCE."""

    id: str
    name: str
    redirect_uris: tuple[str, ...] = ()
    secret: str | None = None
    allows_public_flows: bool = False  # as a script needs them: sign-in by device code


@dataclass(frozen=True, slots=True)
class GrantedScope:
    """The granted part of a requested `scope`."""

    api: Api
    scopes: tuple[str, ...]
    openid: tuple[str, ...]

    def to_text(self) -> str:
        return " ".join((*self.openid, *(f"api://{self.api.id}/{name}" for name in self.scopes)))


TIMETRACKER_API: Final = Api(
    "6e74172b-be56-4843-9ff4-e66a39bb12e3", "TimeTracker API", ("access_as_user",), ("Jobs.Run",)
)
FOREIGN_API: Final = Api("d2f1b6a4-3c58-4e0d-9b7a-8e6f5c4d3b2a", "Somebody else's API", ("read",), ("Read.All",))
GRAPH: Final = Api("00000003-0000-0000-c000-000000000000", "Microsoft Graph", ("User.Read",))
MARKETPLACE_API: Final = Api("20e940b3-4c77-4b0b-9a53-9e16a1b010a7", "Marketplace SaaS API", ())
APIS: Final = {api.id: api for api in (TIMETRACKER_API, FOREIGN_API, GRAPH, MARKETPLACE_API)}

EXTENSION: Final = Client(
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
    "TimeTracker extension",
    ("http://localhost/", "http://localhost/cb", "http://127.0.0.1/", "http://127.0.0.1/cb"),
)
LANDING: Final = Client(
    "5b0d9c7e-2a41-4f63-8d1e-7c3b2a190f8e",
    "TimeTracker landing page",
    (
        "http://127.0.0.1/api/marketplace/landing/signed-in",
        "http://localhost/api/marketplace/landing/signed-in",
    ),
    secret="local-only-secret",  # noqa: S106 - valid for this emulator only
)
DAEMON: Final = Client(
    "da3e0000-1b2c-4d3e-8f4a-5b6c7d8e9f00",
    "TimeTracker daemon",
    secret="local-only-secret",  # noqa: S106 - likewise
)
SCRIPTS: Final = Client("e7d1a9b0-4c52-4f3e-8a6d-2b9c0f1e3d5a", "TimeTracker scripts", allows_public_flows=True)
PUBLISHER: Final = Client(
    "9b1c2d3e-4f50-4a61-8b72-c3d4e5f60718",
    "TimeTracker publisher",
    secret="local-only-secret",  # noqa: S106 - likewise
)
CLIENTS: Final = {client.id: client for client in (EXTENSION, LANDING, DAEMON, SCRIPTS, PUBLISHER)}
OPENID_SCOPES: Final = ("openid", "profile", "email", "offline_access")


def get_client(client_id: str | None) -> Client:
    """Raises OAuthError for an unknown client."""
    if not client_id:
        raise OAuthError("invalid_request", 900144, "The request must contain the parameter 'client_id'.")
    if client_id not in CLIENTS:
        raise OAuthError("unauthorized_client", 700016, f"Application '{client_id}' was not found in the directory.")
    return CLIENTS[client_id]


def check_redirect(client: Client, uri: str | None) -> str:
    """The registered redirect URI; on loopback any port is allowed, as in Entra and RFC 8252 section 7.3."""
    parts = urlsplit(uri or "")
    try:
        uri_without_port = f"{parts.scheme}://{parts.hostname}{parts.path or '/'}" if parts.port != 0 else ""
    except ValueError:
        uri_without_port = ""
    is_plain = not (parts.query or parts.fragment or parts.username)
    if uri is None or not is_plain or uri_without_port not in client.redirect_uris:
        raise OAuthError("invalid_request", 50011, "The redirect URI does not match those of the application.")
    return uri


def parse_scope(scope: str | None) -> GrantedScope:
    """Parses a scope parameter for one API: `api://{id}/{scope}`, `{id}/{scope}` or `/.default`."""
    names = (scope or "").split()
    openid = tuple(name for name in OPENID_SCOPES if name in names)
    api_names = [name for name in names if name not in OPENID_SCOPES]
    if not names:
        raise OAuthError("invalid_request", 900144, "The request must contain the parameter 'scope'.")
    api_scopes = {name.removeprefix("api://").partition("/")[::2] for name in api_names} or {(GRAPH.id, "User.Read")}
    apis = {api_id for api_id, _ in api_scopes}
    if len(apis) != 1:
        raise OAuthError("invalid_request", 28000, "The scope asks for more than one resource.")
    api = APIS.get(apis.pop())
    scopes = {name for _, name in api_scopes}
    if api is None or not scopes <= {*api.scopes, ".default"}:
        raise OAuthError("invalid_scope", 70011, f"The scope '{scope}' is not valid.")
    return GrantedScope(api, api.scopes if ".default" in scopes else tuple(sorted(scopes)), openid)
