"""Admin commands: new keys, faults, counts, and tokens with any claims."""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from werkzeug.wrappers import Request, Response

from devcloud.emulators import admin
from devcloud.emulators.admin import AdminCommandError
from devcloud.emulators.entra import tokens
from devcloud.emulators.entra.clients import CLIENTS, EXTENSION, TIMETRACKER_API, parse_scope
from devcloud.emulators.entra.faults import Endpoint, Fault, Faults
from devcloud.emulators.entra.keyring import KeyRing
from devcloud.emulators.entra.oauth import OAuthError
from devcloud.emulators.entra.people import find_person


DEFAULT_SCOPE: Final = f"api://{TIMETRACKER_API.id}/access_as_user"
_FAULTS: Final = TypeAdapter(dict[Endpoint, Fault])


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    drop_old: bool = False


class TokenRequest(BaseModel):
    """A token to be signed; claims and header members with null are omitted. `lifetime` is in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: str = "ada"
    kind: Literal["access", "id", "app"] = "access"
    client: str = EXTENSION.id
    scope: str = DEFAULT_SCOPE
    lifetime: int = 3600
    claims: dict[str, Any] = {}
    header: dict[str, Any] = {}
    key: Literal["current", "unpublished"] = "current"


class Admin:
    def __init__(self, authority: str, keys: KeyRing, faults: Faults, now: Callable[[], dt.datetime]) -> None:
        self._authority, self._keys, self._faults, self._now = authority, keys, faults, now

    def respond(self, request: Request, command: str) -> Response:
        return admin.respond(request, command, self._execute, (OAuthError,))

    def _execute(self, command: str, document: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        match command:
            case "POST rotate":
                kid = self._keys.rotate(drop_old=Rotation.model_validate(document).drop_old).kid
                return {"kid": kid, "published": [pair.kid for pair in self._keys.published]}
            case "POST faults":
                self._faults.set(_FAULTS.validate_python(document))
                return {}
            case "DELETE faults":
                self._faults.clear()
                return {}
            case "GET stats":
                return {"hits": self._faults.hits()}
            case "POST token":
                return {"token": self.mint(TokenRequest.model_validate(document))}
        raise AdminCommandError(f"unknown command {command}")

    def mint(self, request: TokenRequest) -> str:
        """Signs the token, with true or false claims.

        Raises:
            AdminCommandError: the person or client is unknown.
        """
        pair = self._keys.current if request.key == "current" else self._keys.unpublished
        return pair.sign(
            _drop_none({**tokens.build_header(pair), **request.header}),
            _drop_none({**self._claims(request), **request.claims}),
        )

    def _claims(self, request: TokenRequest) -> tokens.Claims:
        person, client, now = find_person(request.person), CLIENTS.get(request.client), self._now()
        if person is None or client is None:
            raise AdminCommandError("unknown person or client")
        granted, tid = parse_scope(request.scope), person.directory.tid
        match request.kind:
            case "id":
                return tokens.build_id_token(self._authority, person, client, None, now=now)
            case "app":
                return tokens.build_app_token(
                    self._authority, tid, client, granted.api, now=now, seconds=request.lifetime
                )
            case "access":
                return tokens.build_access_token(
                    self._authority, person, client, granted, now=now, seconds=request.lifetime
                )


def _drop_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
