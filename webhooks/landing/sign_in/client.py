"""Sign-in to our own pages: Entra's authorization code flow with PKCE, from the server."""

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
from shared.auth.tokens import MAX_TOKEN_CHARS, Principal, build_principal, check_issuer, check_times, verify_signature
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


class SignInClient:
    """For work and school accounts of any directory; threads may share the client."""

    def __init__(self, settings: Settings, keys: SigningKeys, *, now: Callable[[], dt.datetime]) -> None:
        self._client, self._secret = settings.landing_client_id, settings.landing_client_secret
        self._authority = settings.entra_authority
        self._keys, self._now = keys, now
        self._http = HttpClient("sign-in", f"{self._authority}/", max_bytes=_MAX_BYTES)

    def close(self) -> None:
        self._http.close()

    def authorization_url(self, attempt: SignInAttempt, redirect_uri: str) -> str:
        """The address of Entra's sign-in page, which asks for the account: buyers often have several."""
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        query = {
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
        return f"{self._endpoint(attempt.directory)}/authorize?{urlencode(query)}"

    def redeem(
        self, code: str, verifier: str, nonce: str, redirect_uri: str, *, directory: str | None = None
    ) -> Principal:
        """The signed-in person. A code is valid only at the directory where the sign-in was started.

        Raises:
            CodeRefused: Entra refuses the code.
            InvalidToken: the ID token is not valid for this sign-in; the reason is for the log.
            Unavailable: Entra does not respond.
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
        return self._parse_person(self._exchange(form, directory), nonce)

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

    def _parse_person(self, token: str, nonce: str) -> Principal:
        if len(token) > MAX_TOKEN_CHARS or token.count(".") != _DOTS or not token.isascii():
            raise InvalidToken("malformed")
        claims, key = verify_signature(token, self._keys)
        check_times(claims, self._now())
        if claims.get("aud") != self._client:
            raise InvalidToken("wrong_audience")
        if claims.get("ver") != "2.0":
            raise InvalidToken("wrong_version")
        check_issuer(claims, key, self._authority)
        claimed = claims.get("nonce")
        if not isinstance(claimed, str) or not secrets.compare_digest(claimed.encode(), nonce.encode()):
            raise InvalidToken("wrong_nonce")
        return build_principal(claims)


def _parse_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a response; empty when there is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _unavailable(reason: str) -> Unavailable:
    get_logger().error("sign_in_failed", reason=reason)
    return Unavailable("Sign-in is unavailable right now. Nothing was changed; try again in a moment.")
