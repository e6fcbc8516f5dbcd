"""The authorization endpoint: checks what a client asks for, lets a person be picked, and sends the code back."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.clients import Client, Granted, check_redirect, get_client, grant
from devcloud.emulators.entra.grants import Grants
from devcloud.emulators.entra.oauth import OAuthError
from devcloud.emulators.entra.page import error_page, sign_in_page
from devcloud.emulators.entra.people import find_person, people_of


_CHALLENGE: Final = re.compile(r"\A[A-Za-z0-9_-]{43}\Z")
_SEPARATORS: Final = {"query": "?", "fragment": "#"}


@dataclass(frozen=True, slots=True)
class _Back:
    """Where and how the answer goes back to the client."""

    uri: str
    separator: str
    state: str | None

    def go(self, **answer: str) -> Response:
        told = answer if self.state is None else {**answer, "state": self.state}
        return redirect(f"{self.uri}{self.separator}{urlencode(told)}", 302)


def authorize(request: Request, tid: str | None, grants: Grants) -> Response:
    """Shows the page, or answers the button; what is wrong is told to the client once it is known to be one."""
    try:
        client = get_client(request.args.get("client_id"))
        uri = check_redirect(client, request.args.get("redirect_uri"))
    except OAuthError as error:
        return error_page(error.description)
    separator = _SEPARATORS.get(request.args.get("response_mode", "query"), "?")
    back = _Back(uri, separator, request.args.get("state"))
    try:
        return _proceed(request, tid, client, back, grants)
    except OAuthError as error:
        return back.go(error=error.error, error_description=error.description)


def _proceed(request: Request, tid: str | None, client: Client, back: _Back, grants: Grants) -> Response:
    granted, challenge = _asked(request)
    if request.args.get("prompt") == "none":
        raise OAuthError("login_required", 50058, "A silent sign-in was asked for, but nobody is signed in.")
    if request.method == "GET":
        hint = request.args.get("login_hint")
        return sign_in_page(client.name, people_of(tid), hinted=find_person(hint, tid) if hint else None)
    person = find_person(request.form.get("person", ""), tid)
    if person is None:
        raise OAuthError("access_denied", 50034, "This account does not exist in the directory.")
    code = grants.new_code(
        person,
        client,
        granted,
        nonce=request.args.get("nonce"),
        redirect_uri=back.uri,
        challenge=challenge,
        authority=tid,
    )
    return back.go(code=code)


def _asked(request: Request) -> tuple[Granted, str]:
    if (mode := request.args.get("response_mode", "query")) not in _SEPARATORS:
        raise OAuthError("invalid_request", 900023, f"The response_mode '{mode}' is not supported here.")
    if request.args.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", 70005, "Only the response type 'code' is supported.")
    challenge = request.args.get("code_challenge", "")
    if request.args.get("code_challenge_method") != "S256" or not _CHALLENGE.match(challenge):
        raise OAuthError("invalid_request", 9002325, "Proof Key for Code Exchange is required, with S256.")
    return grant(request.args.get("scope")), challenge
