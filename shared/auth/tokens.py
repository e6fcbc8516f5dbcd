"""Who sends a request: the rules an Entra access token must keep, and the person it then names."""

import base64
import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from shared.auth.signing_keys import UNKNOWN_KID, SigningKey, SigningKeys
from shared.errors import Inconclusive, InsufficientScope, InvalidToken
from shared.settings import GUID, Settings


SCOPE: Final = "access_as_user"
NOT_YET_VALID: Final = "not_yet_valid"
EXPIRED: Final = "expired"
# A key may be newer than every answer of Entra, and either clock wrong: these reasons do not say that a token is bad.
INCONCLUSIVE: Final = frozenset({UNKNOWN_KID, NOT_YET_VALID, EXPIRED})
LEEWAY_SECONDS: Final = 60
MAX_TOKEN_CHARS: Final = 16 * 1024
MAX_KID_CHARS: Final = 128
SHOWN_CHARS: Final = 256
CONSUMER_TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"  # every personal Microsoft account lives in it
CONSUMER_ACCOUNT: Final = "consumer_account"

_VERIFIED: Final = (True, "1", "true")  # as Entra has spelled the claim over time; 1 is True

Claims: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Principal:
    """The person a token names. Only `key` says who they are; the rest is for showing, and may be wrong or change."""

    tid: str
    oid: str
    name: str | None
    username: str | None
    email: str | None  # only where the directory has proved that it owns the domain
    is_guest: bool | None  # None: the token does not tell
    token_id: str | None

    @property
    def key(self) -> tuple[str, str]:
        return (self.tid, self.oid)


class Validator:
    """Checks each token from signature to scope, every time; nothing about a token is remembered."""

    def __init__(self, keys: SigningKeys, settings: Settings, *, now: Callable[[], dt.datetime]) -> None:
        self.keys = keys
        self._now = now
        self._authority = settings.entra_authority
        self._audience = settings.entra_api_client_id
        self._clients = settings.entra_client_ids

    def validate(self, authorization: str | None) -> Principal:
        """The person behind the value of an Authorization header.

        Raises:
            InvalidToken: not a sound, current token for our API; the reason is for the log only.
            InsufficientScope: a sound one, but of another client, for no person, or without our scope.
            Inconclusive: whether Entra has the key of its signature cannot be asked now, or all is right but that it
                is not valid yet by our clock.
            Unavailable: there are no keys to check a signature with.
        """
        claims, key = signed_claims(bearer_token(authorization), self.keys)
        if claims.get("aud") != self._audience:  # a list that contains it is not it
            raise InvalidToken("wrong_audience")
        if claims.get("ver") != "2.0":
            raise InvalidToken("wrong_version")
        check_issuer(claims, key, self._authority)
        if not isinstance(sub := claims.get("sub"), str) or not sub:
            raise InvalidToken("no_subject")
        self._check_permission(claims)
        self._check_times(claims)
        return principal_of(claims)

    def _check_times(self, claims: Claims) -> None:
        """Last, so that no other token is told to come again; one that is early is, since either clock may be wrong."""
        try:
            check_times(claims, self._now())
        except InvalidToken as refused:
            if refused.reason != NOT_YET_VALID:
                raise
            raise Inconclusive(
                "Your sign-in is newer than our clock shows. Nothing was changed; try again in a moment.",
                reason=NOT_YET_VALID,
                code="token_not_yet_valid",
            ) from refused

    def _check_permission(self, claims: Claims) -> None:
        client, scopes = claims.get("azp"), claims.get("scp")
        if not isinstance(client, str) or client not in self._clients:
            raise InsufficientScope("client_not_allowed")
        if claims.get("idtyp") == "app" or not isinstance(scopes, str):
            raise InsufficientScope("app_only")
        if SCOPE not in scopes.split(" "):
            raise InsufficientScope("scope_missing")


def bearer_token(authorization: str | None) -> str:
    """The one token of an Authorization header.

    Raises:
        InvalidToken: none, several, or nothing that could be a signed token.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken("missing_token")
    if len(token) > MAX_TOKEN_CHARS:
        raise InvalidToken("too_long")
    if token.count(".") != 2 or not token.isascii():  # noqa: PLR2004 - header.payload.signature
        raise InvalidToken("malformed")
    return token


def signed_claims(token: str, keys: SigningKeys) -> tuple[Claims, SigningKey]:
    """What the token says and the key that signed it. Who it is from and for is not checked yet.

    With one fixed algorithm the compact form is three decodings and one check of PyJWT's; its whole decoder adds
    nothing to that and takes three times as long.

    Raises:
        InvalidToken: not RS256, not signed by one of the keys, or not a JSON object.
        Inconclusive, Unavailable: as `SigningKeys.get` says.
    """
    try:
        header, payload, signature = (_decoded(part) for part in token.split("."))
        key = keys.get(_kid(_json(header)))
        if not key.has_signed(token.rpartition(".")[0].encode(), signature):
            raise InvalidToken("bad_signature")
        claims = _json(payload)
    except (ValueError, RecursionError):
        raise InvalidToken("malformed") from None
    if not isinstance(claims, dict):
        raise InvalidToken("malformed")
    return claims, key


def claimed_version(token: str) -> object:
    """The version that an unchecked token says it has: enough to choose the keys that check it, and no more.

    Raises:
        InvalidToken: it is no token.
    """
    try:
        claims = _json(_decoded(token.split(".")[1]))
    except (ValueError, RecursionError):
        raise InvalidToken("malformed") from None
    return claims.get("ver") if isinstance(claims, dict) else None


def _decoded(part: str) -> bytes:
    """Unpadded base64url and nothing else, spelled the one canonical way."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise InvalidToken("malformed")
    return raw


def _json(part: bytes) -> Any:  # noqa: ANN401 - any JSON
    """UTF-8 without a byte-order mark, each member once (RFC 7519 and 8725): readers differ on anything else.

    Raises:
        ValueError, RecursionError: it is no such JSON.
    """
    return json.loads(part.decode(), object_pairs_hook=_each_once)


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a member is there twice")
    return found


def _kid(header: object) -> str:
    """The key id; key material or addresses in the header are never looked at, extensions are refused."""
    if not isinstance(header, dict):
        raise InvalidToken("malformed")
    kid, kind = header.get("kid"), header.get("typ", "JWT")
    if header.get("alg") != "RS256" or "crit" in header or "b64" in header or kind != "JWT":
        raise InvalidToken("bad_header")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
        raise InvalidToken("bad_header")
    return kid


def check_times(claims: Claims, now: dt.datetime, needed: tuple[str, ...] = ("exp", "nbf", "iat")) -> None:
    """Checks `exp`, `nbf` and `iat` with a minute of leeway; those `needed` must be there, and all be finite numbers.

    PyJWT would read the system clock, and takes numbers in strings.

    Raises:
        InvalidToken: expired, not valid yet, or a time is missing or no number.
    """
    told = {name: _seconds(claims, name) for name in ("exp", "nbf", "iat") if name in needed or name in claims}
    instant = now.timestamp()
    if instant >= told.get("exp", math.inf) + LEEWAY_SECONDS:
        raise InvalidToken(EXPIRED)
    if max(told.get("nbf", -math.inf), told.get("iat", -math.inf)) > instant + LEEWAY_SECONDS:
        raise InvalidToken(NOT_YET_VALID)


def check_issuer(claims: Claims, key: SigningKey, authority: str) -> None:
    """Checks that the person's own directory issued the token, with a key that is meant for it.

    Raises:
        InvalidToken: somebody else did, or it is the directory of personal accounts.
    """
    tid, _oid = _guid(claims, "tid"), _guid(claims, "oid")
    issuer = f"{authority}/{tid}/v2.0"
    if claims.get("iss") != issuer:
        raise InvalidToken("wrong_issuer")
    # A key of the consumer tenant names that tenant; it must not vouch for anybody else's people.
    if key.issuer is not None and key.issuer.replace("{tenantid}", tid) != issuer:
        raise InvalidToken("wrong_key_issuer")
    if tid == CONSUMER_TENANT:
        raise InvalidToken(CONSUMER_ACCOUNT)


def _seconds(claims: Claims, name: str) -> int | float:
    value = claims.get(name)
    if type(value) is int or (type(value) is float and math.isfinite(value)):  # a bool is an int to isinstance
        return value
    raise InvalidToken("bad_times")


def _guid(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if isinstance(value, str) and GUID.match(value):
        return value
    raise InvalidToken("bad_ids")


def principal_of(claims: Claims) -> Principal:
    """The person that checked claims name."""
    return Principal(
        tid=claims["tid"],
        oid=claims["oid"],
        name=_shown(claims.get("name")),
        username=_address(claims.get("preferred_username")),
        email=_address(claims.get("email")) if claims.get("xms_edov") in _VERIFIED else None,
        is_guest=_is_guest(claims),
        token_id=_shown(claims.get("uti")),
    )


def _shown(value: object) -> str | None:
    """A text fit for a page and a database: no control characters, no half characters, cut to 256."""
    if not isinstance(value, str):
        return None
    text = value if value.isprintable() else "".join(filter(str.isprintable, value))
    return text[:SHOWN_CHARS] or None


def _address(value: object) -> str | None:
    """As `_shown`, but what is left out leaves a mark: cleaned or cut, an address would be another one."""
    if not isinstance(value, str) or not value:
        return None
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _is_guest(claims: Claims) -> bool | None:
    """A guest by account type, or signed in by somebody else's directory; both claims are optional in Entra."""
    account, provider, tid = claims.get("acct"), claims.get("idp"), claims["tid"]
    own = {claims["iss"], f"https://sts.windows.net/{tid}"}  # v2 tokens name providers in the v1 form
    if account in (1, "1") or (isinstance(provider, str) and provider.rstrip("/") not in own):
        return True
    return False if account in (0, "0") or isinstance(provider, str) else None
