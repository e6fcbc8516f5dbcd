"""The grants of the token endpoint, with issued codes and refresh tokens."""

import base64
import binascii
import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devcloud.emulators.entra import device, tokens
from devcloud.emulators.entra.clients import Client, GrantedScope, get_client, parse_scope
from devcloud.emulators.entra.device import DeviceCodes
from devcloud.emulators.entra.keyring import KeyRing, base64url
from devcloud.emulators.entra.oauth import OAuthError
from devcloud.emulators.entra.people import Person, find_person


CODE_SECONDS: Final = 60
REFRESH_SECONDS: Final = 24 * 60 * 60

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SignIn:
    """The sign-in of a code or refresh token."""

    person: Person
    client: Client
    scope: GrantedScope
    expires: dt.datetime
    nonce: str | None = None
    redirect_uri: str = ""
    challenge: str = ""
    authority: str | None = None  # the directory of the sign-in; None under `common`


class Grants:
    """Issues tokens. Codes and refresh tokens are lost at a restart, keys are not."""

    def __init__(self, authority: str, keys: KeyRing, now: Callable[[], dt.datetime]) -> None:
        self._authority, self._keys, self._now = authority, keys, now
        self._codes: dict[str, SignIn] = {}
        self._refresh: dict[str, SignIn] = {}
        self.devices = DeviceCodes(authority, now)

    def new_code(
        self,
        person: Person,
        client: Client,
        scope: GrantedScope,
        *,
        nonce: str | None,
        redirect_uri: str,
        challenge: str,
        authority: str | None,
    ) -> str:
        code = secrets.token_urlsafe(32)
        expires = self._now() + dt.timedelta(seconds=CODE_SECONDS)
        self._codes[code] = SignIn(person, client, scope, expires, nonce, redirect_uri, challenge, authority)
        return code

    def respond(self, tid: str | None, form: Form, basic: tuple[str, str] | None) -> dict[str, Any]:
        """The token response. `tid` is None under `common`; `basic` has the credentials of a Basic header.

        Raises:
            OAuthError: with Entra's error number.
        """
        client = self._authenticated(form, basic)
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem_code(tid, client, form)
            case "refresh_token":
                return self._renew(tid, client, form)
            case device.GRANT:
                return self._by_device_code(tid, client, form)
            case "password":
                return self._by_password(tid, client, form)
            case "client_credentials":
                return self._for_app(tid, client, form)
        raise OAuthError("unsupported_grant_type", 70003, "The app asked for a grant type that is not supported.")

    def _authenticated(self, form: Form, basic: tuple[str, str] | None) -> Client:
        client_id, secret = basic or (form.get("client_id"), form.get("client_secret"))
        client = get_client(client_id)
        if client.secret is None and secret:
            raise OAuthError("invalid_client", 700025, "Client is public, so no 'client_secret' should be presented.")
        if client.secret is not None and not secret:
            raise OAuthError("invalid_client", 7000218, "The request must contain the parameter 'client_secret'.")
        if client.secret is not None and not secrets.compare_digest(client.secret.encode(), str(secret).encode()):
            raise OAuthError("invalid_client", 7000215, "Invalid client secret provided.")
        return client

    def _redeem_code(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        sign_in = self._codes.pop(_require(form, "code"), None)
        if sign_in is None or sign_in.client != client:
            raise OAuthError("invalid_grant", 54005, "The authorization code was already redeemed or never issued.")
        if sign_in.expires <= self._now():
            raise OAuthError("invalid_grant", 70008, "The authorization code has expired.")
        if form.get("redirect_uri") != sign_in.redirect_uri:
            raise OAuthError("invalid_grant", 50011, "The redirect URI is not the one the code was issued for.")
        if tid != sign_in.authority:
            raise OAuthError("invalid_grant", 700005, "The code is intended to be used against another tenant.")
        digest = hashlib.sha256(_require(form, "code_verifier").encode()).digest()
        if not secrets.compare_digest(base64url(digest), sign_in.challenge):
            raise OAuthError("invalid_grant", 501481, "The code_verifier does not match the code_challenge.")
        return self._for_person(tid, sign_in)

    def _renew(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        sign_in = self._refresh.get(_require(form, "refresh_token"))
        if sign_in is None or sign_in.client != client:
            raise OAuthError("invalid_grant", 9002313, "The refresh token is not valid. Sign in again.")
        if sign_in.expires <= self._now():
            raise OAuthError("invalid_grant", 700082, "The refresh token has expired. Sign in again.")
        scope = parse_scope(form["scope"]) if form.get("scope") else sign_in.scope
        return self._for_person(tid, self._sign_in(sign_in.person, client, scope))

    def _by_device_code(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        person, scope = self.devices.redeem(client, _require(form, "device_code"))
        return self._for_person(tid, self._sign_in(person, client, scope))

    def _by_password(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        username = _require(form, "username")
        person = find_person(username, tid)
        if person is None:
            raise OAuthError("invalid_grant", 50034, f"The user account '{username}' does not exist in the directory.")
        if not form.get("password"):
            raise OAuthError("invalid_grant", 50126, "Invalid username or password: any password but none will do.")
        return self._for_person(tid, self._sign_in(person, client, parse_scope(form.get("scope"))))

    def _for_app(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        if client.secret is None:
            raise OAuthError("unauthorized_client", 700016, "A public client cannot act for itself.")
        if tid is None:
            raise OAuthError("invalid_request", 90002, "An app signs in to one directory: name it instead of 'common'.")
        scope = _require(form, "scope")
        if not scope.endswith("/.default"):
            raise OAuthError("invalid_scope", 1002012, f"The scope '{scope}' must end in '/.default'.")
        seconds = tokens.random_lifetime()
        claims = tokens.build_app_token(
            self._authority, tid, client, parse_scope(scope).api, now=self._now(), seconds=seconds
        )
        return {"token_type": "Bearer", **_lifetime_fields(seconds), "access_token": self._sign(claims)}

    def _sign_in(self, person: Person, client: Client, scope: GrantedScope) -> SignIn:
        return SignIn(person, client, scope, self._now() + dt.timedelta(seconds=REFRESH_SECONDS))

    def _for_person(self, tid: str | None, sign_in: SignIn) -> dict[str, Any]:
        person, client, scope = sign_in.person, sign_in.client, sign_in.scope
        if tid not in (None, person.directory.tid):
            raise OAuthError("invalid_grant", 50020, f"'{person.email}' does not exist in this directory.")
        now, seconds = self._now(), tokens.random_lifetime()
        claims = tokens.build_access_token(self._authority, person, client, scope, now=now, seconds=seconds)
        response: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": scope.to_text(),
            **_lifetime_fields(seconds),
            "access_token": self._sign(claims),
            "client_info": base64url(json.dumps({"uid": person.oid, "utid": person.directory.tid}).encode()),
        }
        if "offline_access" in scope.openid:
            response["refresh_token"] = secrets.token_urlsafe(48)
            self._refresh[response["refresh_token"]] = self._sign_in(person, client, scope)
        if "openid" in scope.openid:
            id_claims = tokens.build_id_token(self._authority, person, client, sign_in.nonce, now=now)
            response["id_token"] = self._sign(id_claims)
        return response

    def _sign(self, claims: tokens.Claims) -> str:
        pair = self._keys.current
        return pair.sign(tokens.build_header(pair), claims)


def basic_credentials(header: str | None) -> tuple[str, str] | None:
    """The client's id and secret in an Authorization header."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", 7000215, "The Authorization header cannot be read.") from None
    return client_id, secret


def _require(form: Form, name: str) -> str:
    if not (value := form.get(name)):
        raise OAuthError("invalid_request", 900144, f"The request must contain the parameter '{name}'.")
    return value


def _lifetime_fields(seconds: int) -> dict[str, int]:
    return {"expires_in": seconds, "ext_expires_in": seconds}
