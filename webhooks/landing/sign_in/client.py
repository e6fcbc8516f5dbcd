"""Signs people in to our own pages: the authorization code flow of Entra, with PKCE, from the server."""

import base64
import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import MAX_TOKEN_CHARS, Principal, check_issuer, check_times, principal_of, signed_claims
from shared.deadline import Deadline
from shared.errors import InvalidToken, Unavailable
from shared.http_client import HttpClient, NoResponse, Request
from shared.log import get_logger
from shared.settings import Settings
from webhooks.landing.sign_in.model import CodeRefused, SignInAttempt


SCOPES: Final = "openid profile email"
EXCHANGE_SECONDS: Final = 8.0
_MAX_BYTES: Final = 128 * 1024
_DOTS: Final = 2


class SignIns:
    """For work and school accounts of any directory; threads may share it."""

    def __init__(self, settings: Settings, keys: SigningKeys, *, now: Callable[[], dt.datetime]) -> None:
        self._client, self._secret = settings.landing_client_id, settings.landing_client_secret
        self._authority = settings.entra_authority
        self._keys, self._now = keys, now
        self._http = HttpClient("sign-in", f"{self._authority}/", max_bytes=_MAX_BYTES)

    def address(self, attempt: SignInAttempt, redirect_uri: str) -> str:
        """Where the browser goes to sign in. The account is chosen there: buyers often have several."""
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "client_id": self._client,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "prompt": "select_account",
        }
        return f"{self._endpoint(attempt.directory)}/authorize?{urlencode(asked)}"

    def redeem(
        self, code: str, verifier: str, nonce: str, redirect_uri: str, *, directory: str | None = None
    ) -> Principal:
        """Who signed in; a code is good only at the directory where its sign-in was begun.

        Raises:
            CodeRefused: Entra does not take the code.
            InvalidToken: what it gave is no sound ID token for this sign-in; the reason is for the log.
            Unavailable: it cannot be asked now.
        """
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client,
            "client_secret": self._secret,
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
        }
        return self._person(self._exchange(form, directory), nonce)

    def _endpoint(self, directory: str | None) -> str:
        return f"{self._authority}/{directory or 'organizations'}/oauth2/v2.0"

    def _exchange(self, form: Mapping[str, str], directory: str | None) -> str:
        """The ID token. Sent once, since a code is valid for one exchange."""
        request = Request.post_form(f"{self._endpoint(directory)}/token", form)
        response = self._http.send(request, Deadline.after(EXCHANGE_SECONDS))
        if isinstance(response, NoResponse):
            raise _unavailable(response.reason)
        document = _parse_object(response.body)
        if response.status == HTTPStatus.BAD_REQUEST and document.get("error") == "invalid_grant":
            raise CodeRefused
        token = document.get("id_token")
        if response.status != HTTPStatus.OK or not isinstance(token, str):
            raise _unavailable(f"http_{response.status}")
        return token

    def _person(self, token: str, nonce: str) -> Principal:
        if len(token) > MAX_TOKEN_CHARS or token.count(".") != _DOTS or not token.isascii():
            raise InvalidToken("malformed")
        claims, key = signed_claims(token, self._keys)
        check_times(claims, self._now())
        if claims.get("aud") != self._client:
            raise InvalidToken("wrong_audience")
        if claims.get("ver") != "2.0":
            raise InvalidToken("wrong_version")
        check_issuer(claims, key, self._authority)
        told = claims.get("nonce")
        if not isinstance(told, str) or not secrets.compare_digest(told.encode(), nonce.encode()):
            raise InvalidToken("wrong_nonce")
        return principal_of(claims)


def _parse_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a response; empty when there is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _unavailable(reason: str) -> Unavailable:
    get_logger().error("sign_in_failed", reason=reason)
    return Unavailable("Signing in does not work right now. Nothing was changed; try again in a moment.")
