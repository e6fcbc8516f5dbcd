"""The publisher: its app, its pages, and tokens."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import requests
from werkzeug.wrappers import Request

from devcloud.emulators.entra.clients import MARKETPLACE_API, PUBLISHER
from devcloud.emulators.entra.people import VENDOR
from devcloud.emulators.marketplace.errors import MarketplaceError
from shared import clock
from shared.auth.signing_keys import UNKNOWN_KID, SigningKeys
from shared.auth.tokens import check_times, parse_bearer_token, verify_signature
from shared.errors import ApiError, Inconclusive, InvalidToken


TOKEN_SECONDS: Final = 3600
_FORBIDDEN: Final = (
    "The authorization token is invalid, expired or missing, or the offer was published with a different app id."
)


@dataclass(slots=True)
class Publisher:
    """The settings of Partner Center: app, landing page and webhook."""

    landing_url: str
    webhook_url: str
    tenant_id: str = VENDOR.tid
    client_id: str = PUBLISHER.id


class Tokens:
    """Checks the publisher's tokens and gets those of webhooks, with keys of the Entra emulator.

    Entra's tokens are checked with the machine's clock; `now` is the clock of webhook tokens.
    """

    def __init__(self, authority: str, publisher: Publisher, now: Callable[[], dt.datetime]) -> None:
        self._authority, self._publisher, self._now = authority.rstrip("/"), publisher, now
        self._keys = self._new_keys()

    def check(self, request: Request) -> None:
        """Raises MarketplaceError (403) unless the publisher's own app calls."""
        try:
            claims = self._claims(parse_bearer_token(request.headers.get("Authorization")))
            check_times(claims, clock.now())
        except ApiError:
            raise MarketplaceError(403, "Forbidden", _FORBIDDEN) from None
        tid = self._publisher.tenant_id
        caller = claims.get("azp") or claims.get("appid")
        issuers = {f"{self._authority}/{tid}/v2.0", f"https://sts.windows.net/{tid}/"}
        if (
            claims.get("aud") != MARKETPLACE_API.id
            or claims.get("iss") not in issuers
            or claims.get("tid") != tid
            or caller != self._publisher.client_id
        ):
            raise MarketplaceError(403, "Forbidden", _FORBIDDEN)

    def build_webhook_token(self, version: str, claims: dict[str, Any], key: str = "current") -> str:
        """A token of the Marketplace in v1 or v2; claims with None are omitted."""
        issued = int(self._now().timestamp())
        times = {"iat": issued, "nbf": issued, "exp": issued + TOKEN_SECONDS}
        body = {"kind": "app", "key": key, "claims": {**times, **self._webhook_claims(version), **claims}}
        answer = requests.post(f"{self._authority}/admin/token", json=body, timeout=10)
        answer.raise_for_status()
        token: str = answer.json()["token"]
        return token

    def _webhook_claims(self, version: str) -> dict[str, Any]:
        tid = self._publisher.tenant_id
        common = {"aud": self._publisher.client_id, "tid": tid, "roles": None, "idtyp": None}
        if version == "v1":
            issuer = f"https://sts.windows.net/{tid}/"
            old = {"appid": MARKETPLACE_API.id, "appidacr": "2", "idp": issuer, "iss": issuer, "ver": "1.0"}
            return {**common, **old, "azp": None, "azpacr": None}
        return {**common, "azp": MARKETPLACE_API.id, "azpacr": "2", "iss": f"{self._authority}/{tid}/v2.0"}

    def _claims(self, token: str) -> Any:  # noqa: ANN401 - any claims
        """The claims of a token; fetches keys for each unknown key id."""
        try:
            return verify_signature(token, self._keys)[0]
        except Inconclusive:
            pass
        except InvalidToken as error:
            if error.reason != UNKNOWN_KID:
                raise
        self._keys = self._new_keys()
        return verify_signature(token, self._keys)[0]

    def _new_keys(self) -> SigningKeys:
        return SigningKeys(f"{self._authority}/common/discovery/v2.0/keys")
