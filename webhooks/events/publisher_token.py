"""Authenticates the Marketplace at the webhook, by Entra's token for our app."""

import datetime as dt
from typing import Final

from billing.marketplace import RESOURCE
from shared.app import App
from shared.auth.signing_keys import SigningKey, SigningKeys
from shared.auth.tokens import (
    INCONCLUSIVE,
    Claims,
    check_times,
    parse_bearer_token,
    read_claimed_version,
    verify_signature,
)
from shared.errors import Inconclusive, InvalidToken
from shared.settings import Settings


V1: Final = "1.0"
_CALLER: Final = {V1: "appid", "2.0": "azp"}
# Microsoft documents `exp` and `nbf`; a real token had `iat` in the place of `nbf`.
_NEEDED_TIMES: Final = ("exp",)


def v1_keys_of(app: App) -> SigningKeys:
    """The keys of Entra's v1 tokens, which the Marketplace may use."""
    return app.once(_v1_keys)


def require_marketplace(
    authorization: str | None, *, keys: SigningKeys, v1_keys: SigningKeys, settings: Settings, now: dt.datetime
) -> None:
    """Requires a token of the Marketplace, of version 1 or 2, as our app's registration decides.

    Raises:
        InvalidToken: certainly not its token for our app; the reason is for the log only.
        Inconclusive: the key is unknown, or by our clock the token is expired or not valid yet.
        Unavailable: there are no signing keys.
    """
    token = parse_bearer_token(authorization)
    try:
        claims, key = verify_signature(token, v1_keys if read_claimed_version(token) == V1 else keys)
        _check(claims, key, settings)
        check_times(claims, now, needed=_NEEDED_TIMES)
    except InvalidToken as refused:
        # A 4xx would reject a change that is paid for. Caller, audience and issuer are checked by now, unless the key
        # is unknown.
        if refused.reason not in INCONCLUSIVE:
            raise
        detail = "This token cannot be checked right now. Send the event again."
        raise Inconclusive(detail, reason=refused.reason) from refused


def _v1_keys(app: App) -> SigningKeys:
    return SigningKeys(app.settings.entra_v1_keys_url)


def _check(claims: Claims, key: SigningKey, settings: Settings) -> None:
    tid, version = settings.marketplace_tenant_id, claims.get("ver")
    issuers = {V1: f"https://sts.windows.net/{tid}/", "2.0": f"{settings.entra_authority}/{tid}/v2.0"}
    if not isinstance(version, str) or version not in issuers:
        raise InvalidToken("wrong_version")
    if claims.get("aud") != settings.marketplace_client_id:
        raise InvalidToken("wrong_audience")
    if claims.get("tid") != tid:
        raise InvalidToken("wrong_tenant")
    if claims.get("iss") != issuers[version]:
        raise InvalidToken("wrong_issuer")
    # Entra's keys name their issuer in either form. A key of another directory must not sign tokens of ours.
    if key.issuer is not None and key.issuer.replace("{tenantid}", tid) not in issuers.values():
        raise InvalidToken("wrong_key_issuer")
    if claims.get(_CALLER[version]) != RESOURCE:
        raise InvalidToken("wrong_caller")
