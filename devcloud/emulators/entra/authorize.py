"""The authorization endpoint: checks the request, shows the sign-in page, and returns the code."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.clients import Client, GrantedScope, check_redirect, get_client, parse_scope
from devcloud.emulators.entra.grants import Grants
from devcloud.emulators.entra.oauth import OAuthError
from devcloud.emulators.entra.page import error_page, sign_in_page
from devcloud.emulators.entra.people import find_person, people_of


_CHALLENGE: Final = re.compile(r"\A[A-Za-z0-9_-]{43}\Z")
_SEPARATORS: Final = {"query": "?", "fragment": "#"}


@dataclass(frozen=True, slots=True)
class _Redirect:
    """The redirect with the response to the client."""

    uri: str
    separator: str
    state: str | None

    def build(self, **answer: str) -> Response:
        parameters = answer if self.state is None else {**answer, "state": self.state}
        return redirect(f"{self.uri}{self.separator}{urlencode(parameters)}", 302)


def authorize(request: Request, tid: str | None, grants: Grants) -> Response:
    """Shows the page or handles its button; errors go to the client, once the client is known."""
    try:
        client = get_client(request.args.get("client_id"))
        uri = check_redirect(client, request.args.get("redirect_uri"))
    except OAuthError as error:
        return error_page(error.description)
    separator = _SEPARATORS.get(request.args.get("response_mode", "query"), "?")
    redirect_to = _Redirect(uri, separator, request.args.get("state"))
    try:
        return _sign_in(request, tid, client, redirect_to, grants)
    except OAuthError as error:
        return redirect_to.build(error=error.error, error_description=error.description)


def _sign_in(request: Request, tid: str | None, client: Client, redirect_to: _Redirect, grants: Grants) -> Response:
    scope, challenge = _parse_request(request)
    if request.args.get("prompt") == "none":
        raise OAuthError("login_required", 50058, "A silent sign-in was asked for, but nobody is signed in.")
    if request.method == "GET":
        hint = request.args.get("login_hint")
        return sign_in_page(client.name, people_of(tid), preselected=find_person(hint, tid) if hint else None)
    person = find_person(request.form.get("person", ""), tid)
    if person is None:
        raise OAuthError("access_denied", 50034, "This account does not exist in the directory.")
    code = grants.new_code(
        person,
        client,
        scope,
        nonce=request.args.get("nonce"),
        redirect_uri=redirect_to.uri,
        challenge=challenge,
        authority=tid,
    )
    return redirect_to.build(code=code)


def _parse_request(request: Request) -> tuple[GrantedScope, str]:
    if (mode := request.args.get("response_mode", "query")) not in _SEPARATORS:
        raise OAuthError("invalid_request", 900023, f"The response_mode '{mode}' is not supported here.")
    if request.args.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", 70005, "Only the response type 'code' is supported.")
    challenge = request.args.get("code_challenge", "")
    if request.args.get("code_challenge_method") != "S256" or not _CHALLENGE.match(challenge):
        raise OAuthError("invalid_request", 9002325, "Proof Key for Code Exchange is required, with S256.")
    return parse_scope(request.args.get("scope")), challenge
