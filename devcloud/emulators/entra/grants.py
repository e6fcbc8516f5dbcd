"""The token endpoint's four grants, and the codes and refresh tokens handed out before."""

import base64
import binascii
import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devcloud.emulators.entra import tokens
from devcloud.emulators.entra.clients import Client, Granted, get_client, grant
from devcloud.emulators.entra.keyring import KeyRing, base64url
from devcloud.emulators.entra.oauth import OAuthError
from devcloud.emulators.entra.people import Person, find_person


CODE_SECONDS: Final = 60
REFRESH_SECONDS: Final = 24 * 60 * 60

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that a code or a refresh token stands for."""

    person: Person
    client: Client
    granted: Granted
    expires: dt.datetime
    nonce: str | None = None
    redirect_uri: str = ""
    challenge: str = ""
    authority: str | None = None  # the directory at which the sign-in was begun; None under `common`


class Grants:
    """Turns what clients send into tokens. What was handed out is forgotten at a restart; the keys are not."""

    def __init__(self, authority: str, keys: KeyRing, now: Callable[[], dt.datetime]) -> None:
        self._authority, self._keys, self._now = authority, keys, now
        self._codes: dict[str, SignIn] = {}
        self._refresh: dict[str, SignIn] = {}

    def new_code(
        self,
        person: Person,
        client: Client,
        granted: Granted,
        *,
        nonce: str | None,
        redirect_uri: str,
        challenge: str,
        authority: str | None,
    ) -> str:
        code = secrets.token_urlsafe(32)
        expires = self._now() + dt.timedelta(seconds=CODE_SECONDS)
        self._codes[code] = SignIn(person, client, granted, expires, nonce, redirect_uri, challenge, authority)
        return code

    def answer(self, tid: str | None, form: Form, basic: tuple[str, str] | None) -> dict[str, Any]:
        """The token answer. `tid` is None under `common`; `basic` is the client's id and secret, if sent that way.

        Raises:
            OAuthError: with Entra's number.
        """
        client = self._authenticated(form, basic)
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(tid, client, form)
            case "refresh_token":
                return self._renew(tid, client, form)
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

    def _redeem(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        signed_in = self._codes.pop(_needed(form, "code"), None)
        if signed_in is None or signed_in.client != client:
            raise OAuthError("invalid_grant", 54005, "The authorization code was already redeemed or never issued.")
        if signed_in.expires <= self._now():
            raise OAuthError("invalid_grant", 70008, "The authorization code has expired.")
        if form.get("redirect_uri") != signed_in.redirect_uri:
            raise OAuthError("invalid_grant", 50011, "The redirect URI is not the one the code was issued for.")
        if tid != signed_in.authority:
            raise OAuthError("invalid_grant", 700005, "The code is intended to be used against another tenant.")
        digest = hashlib.sha256(_needed(form, "code_verifier").encode()).digest()
        if not secrets.compare_digest(base64url(digest), signed_in.challenge):
            raise OAuthError("invalid_grant", 501481, "The code_verifier does not match the code_challenge.")
        return self._for_person(tid, signed_in)

    def _renew(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        signed_in = self._refresh.get(_needed(form, "refresh_token"))
        if signed_in is None or signed_in.client != client:
            raise OAuthError("invalid_grant", 9002313, "The refresh token is not valid. Sign in again.")
        if signed_in.expires <= self._now():
            raise OAuthError("invalid_grant", 700082, "The refresh token has expired. Sign in again.")
        granted = grant(form["scope"]) if form.get("scope") else signed_in.granted
        return self._for_person(tid, self._sign_in(signed_in.person, client, granted))

    def _by_password(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        username = _needed(form, "username")
        person = find_person(username, tid)
        if person is None:
            raise OAuthError("invalid_grant", 50034, f"The user account '{username}' does not exist in the directory.")
        if not form.get("password"):
            raise OAuthError("invalid_grant", 50126, "Invalid username or password: any password but none will do.")
        return self._for_person(tid, self._sign_in(person, client, grant(form.get("scope"))))

    def _for_app(self, tid: str | None, client: Client, form: Form) -> dict[str, Any]:
        if client.secret is None:
            raise OAuthError("unauthorized_client", 700016, "A public client cannot act for itself.")
        if tid is None:
            raise OAuthError("invalid_request", 90002, "An app signs in to one directory: name it instead of 'common'.")
        scope = _needed(form, "scope")
        if not scope.endswith("/.default"):
            raise OAuthError("invalid_scope", 1002012, f"The scope '{scope}' must end in '/.default'.")
        seconds = tokens.lifetime()
        claims = tokens.app_token(self._authority, tid, client, grant(scope).api, now=self._now(), seconds=seconds)
        return {"token_type": "Bearer", **_lasting(seconds), "access_token": self._signed(claims)}

    def _sign_in(self, person: Person, client: Client, granted: Granted) -> SignIn:
        return SignIn(person, client, granted, self._now() + dt.timedelta(seconds=REFRESH_SECONDS))

    def _for_person(self, tid: str | None, signed_in: SignIn) -> dict[str, Any]:
        person, client, granted = signed_in.person, signed_in.client, signed_in.granted
        if tid not in (None, person.directory.tid):
            raise OAuthError("invalid_grant", 50020, f"'{person.email}' does not exist in this directory.")
        now, seconds = self._now(), tokens.lifetime()
        claims = tokens.access_token(self._authority, person, client, granted, now=now, seconds=seconds)
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": granted.spelled(),
            **_lasting(seconds),
            "access_token": self._signed(claims),
            "client_info": base64url(json.dumps({"uid": person.oid, "utid": person.directory.tid}).encode()),
        }
        if "offline_access" in granted.openid:
            answer["refresh_token"] = secrets.token_urlsafe(48)
            self._refresh[answer["refresh_token"]] = self._sign_in(person, client, granted)
        if "openid" in granted.openid:
            about = tokens.id_token(self._authority, person, client, signed_in.nonce, now=now)
            answer["id_token"] = self._signed(about)
        return answer

    def _signed(self, claims: tokens.Claims) -> str:
        pair = self._keys.current
        return pair.signed(tokens.header_of(pair), claims)


def basic_credentials(header: str | None) -> tuple[str, str] | None:
    """The client's id and secret out of an Authorization header."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", 7000215, "The Authorization header cannot be read.") from None
    return client_id, secret


def _needed(form: Form, name: str) -> str:
    if not (value := form.get(name)):
        raise OAuthError("invalid_request", 900144, f"The request must contain the parameter '{name}'.")
    return value


def _lasting(seconds: int) -> dict[str, int]:
    return {"expires_in": seconds, "ext_expires_in": seconds}
