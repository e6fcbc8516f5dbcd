"""The device code flow (RFC 8628): codes for programs without a browser, and the page on which a person enters one."""

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.clients import Client, GrantedScope, get_client, parse_scope
from devcloud.emulators.entra.oauth import OAuthError
from devcloud.emulators.entra.page import device_page, error_page, signed_in_page
from devcloud.emulators.entra.people import Person, find_person, people_of


GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
PATH: Final = "devicelogin"
EXPIRES_SECONDS: Final = 900
_INTERVAL_SECONDS: Final = 5
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ23456789"


@dataclass(frozen=True, slots=True)
class DeviceSignIn:
    """The sign-in of a device code; without a person until somebody entered the user code."""

    user_code: str
    client: Client
    scope: GrantedScope
    tid: str | None
    expires: dt.datetime
    person: Person | None = None


class DeviceCodes:
    """Codes are lost at a restart."""

    def __init__(self, authority: str, now: Callable[[], dt.datetime]) -> None:
        self._authority, self._now = authority, now
        self._sign_ins: dict[str, DeviceSignIn] = {}

    def start(self, tid: str | None, form: Mapping[str, str]) -> dict[str, Any]:
        """The response of the device code endpoint.

        Raises:
            OAuthError: with Entra's error number.
        """
        client, scope = get_client(form.get("client_id")), parse_scope(form.get("scope"))
        if not client.allows_public_flows:
            raise OAuthError(
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )
        device_code, user_code = secrets.token_urlsafe(48), "".join(secrets.choice(_LETTERS) for _ in range(9))
        expires = self._now() + dt.timedelta(seconds=EXPIRES_SECONDS)
        self._sign_ins[device_code] = DeviceSignIn(user_code, client, scope, tid, expires)
        address = f"{self._authority}/{PATH}"
        return {
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": address,
            "expires_in": EXPIRES_SECONDS,
            "interval": _INTERVAL_SECONDS,
            "message": f"To sign in, use a web browser to open the page {address} and enter the code {user_code} to "
            "authenticate.",
        }

    def redeem(self, client: Client, device_code: str) -> tuple[Person, GrantedScope]:
        """The person who entered the code, and the scope that was asked for; once.

        Raises:
            OAuthError: the code is unknown or has expired, or nobody has entered it yet.
        """
        sign_in = self._sign_ins.get(device_code)
        if sign_in is None or sign_in.client != client:
            raise OAuthError("bad_verification_code", 70018, "Bad verification code.")
        if sign_in.expires <= self._now():
            raise OAuthError("expired_token", 70019, "Verification code expired.")
        if sign_in.person is None:
            raise OAuthError("authorization_pending", 70016, "Authorization is pending. Continue polling.")
        del self._sign_ins[device_code]
        return sign_in.person, sign_in.scope

    def respond(self, request: Request) -> Response:
        """The page: a field for the code, and a button for each person."""
        if request.method == "GET":
            return device_page(people_of(None))
        user_code = request.form.get("code", "").strip().upper()
        found = [item for item in self._sign_ins.items() if item[1].user_code == user_code]
        if not found or found[0][1].expires <= self._now():
            return error_page("That code did not work. Check the code and try again.")
        device_code, sign_in = found[0]
        person = find_person(request.form.get("person", ""), sign_in.tid)
        if person is None:
            return error_page("This account does not exist in the directory.")
        self._sign_ins[device_code] = replace(sign_in, person=person)
        return signed_in_page(sign_in.client.name)
