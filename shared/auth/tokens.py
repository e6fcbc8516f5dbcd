"""Validation of Entra's access tokens, and the person that a token names."""

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
# Entra may not have published the key yet, and either clock may be wrong, so these reasons do not prove a bad token.
INCONCLUSIVE: Final = frozenset({UNKNOWN_KID, NOT_YET_VALID, EXPIRED})
LEEWAY_SECONDS: Final = 60
MAX_TOKEN_CHARS: Final = 16 * 1024
MAX_KID_CHARS: Final = 128
MAX_TEXT_CHARS: Final = 256
CONSUMER_TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the directory of all personal Microsoft accounts
CONSUMER_ACCOUNT: Final = "consumer_account"

_VERIFIED: Final = (True, "1", "true")  # Entra's spellings of the claim over time; 1 is True

Claims: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Principal:
    """The person that a token names. Only `key` identifies them; the other fields are for display, and may change."""

    tid: str
    oid: str
    name: str | None
    username: str | None
    email: str | None  # only if the directory has proved that it owns the domain
    is_guest: bool | None  # None: unknown
    token_id: str | None

    @property
    def key(self) -> tuple[str, str]:
        return (self.tid, self.oid)


class TokenValidator:
    """Checks each token completely, from signature to scope; caches nothing about a token."""

    def __init__(self, keys: SigningKeys, settings: Settings, *, now: Callable[[], dt.datetime]) -> None:
        self.keys = keys
        self._now = now
        self._authority = settings.entra_authority
        self._audience = settings.entra_api_client_id
        self._clients = settings.entra_client_ids

    def validate(self, authorization: str | None) -> Principal:
        """The person of an Authorization header.

        Raises:
            InvalidToken: not a valid, current token for our API; the reason is for the log only.
            InsufficientScope: valid, but of another client, without a person, or without our scope.
            Inconclusive: the key of its signature cannot be looked up now, or the token is valid except that by our
                clock its time has not come.
            Unavailable: there are no signing keys.
        """
        claims, key = verify_signature(parse_bearer_token(authorization), self.keys)
        if claims.get("aud") != self._audience:  # a list that contains it is refused
            raise InvalidToken("wrong_audience")
        if claims.get("ver") != "2.0":
            raise InvalidToken("wrong_version")
        check_issuer(claims, key, self._authority)
        if not isinstance(sub := claims.get("sub"), str) or not sub:
            raise InvalidToken("no_subject")
        self._check_permission(claims)
        self._check_times(claims)
        return build_principal(claims)

    def _check_times(self, claims: Claims) -> None:
        """Called last, since an early token is worth a retry: either clock may be wrong."""
        try:
            check_times(claims, self._now())
        except InvalidToken as refused:
            if refused.reason != NOT_YET_VALID:
                raise
            raise Inconclusive(
                "Your sign-in is not valid yet by our clock. Nothing was changed; try again in a moment.",
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


def parse_bearer_token(authorization: str | None) -> str:
    """The token of an Authorization header.

    Raises:
        InvalidToken: there is no token, more than one, or an impossible one.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken("missing_token")
    if len(token) > MAX_TOKEN_CHARS:
        raise InvalidToken("too_long")
    if token.count(".") != 2 or not token.isascii():  # noqa: PLR2004 - header.payload.signature
        raise InvalidToken("malformed")
    return token


def verify_signature(token: str, keys: SigningKeys) -> tuple[Claims, SigningKey]:
    """The claims of a token and the key that signed it. Issuer, audience and times are not checked.

    With one fixed algorithm this takes three decodings and one check of PyJWT's; its complete decoder checks nothing
    more and takes three times as long.

    Raises:
        InvalidToken: not RS256, not signed by one of the keys, or not a JSON object.
        Inconclusive, Unavailable: see `SigningKeys.get`.
    """
    try:
        header, payload, signature = (_decode(part) for part in token.split("."))
        key = keys.get(_parse_kid(_json(header)))
        if not key.verify(token.rpartition(".")[0].encode(), signature):
            raise InvalidToken("bad_signature")
        claims = _json(payload)
    except (ValueError, RecursionError):
        raise InvalidToken("malformed") from None
    if not isinstance(claims, dict):
        raise InvalidToken("malformed")
    return claims, key


def read_claimed_version(token: str) -> object:
    """The version in an unchecked token, only to choose the keys that check it.

    Raises:
        InvalidToken: it is not a token.
    """
    try:
        claims = _json(_decode(token.split(".")[1]))
    except (ValueError, RecursionError):
        raise InvalidToken("malformed") from None
    return claims.get("ver") if isinstance(claims, dict) else None


def _decode(part: str) -> bytes:
    """Decodes unpadded base64url in its canonical spelling; refuses any other."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise InvalidToken("malformed")
    return raw


def _json(part: bytes) -> Any:  # noqa: ANN401 - any JSON
    """JSON in UTF-8 without a byte-order mark and with unique members (RFC 7519 and 8725); parsers differ on others.

    Raises:
        ValueError, RecursionError: it is not such JSON.
    """
    return json.loads(part.decode(), object_pairs_hook=_refuse_duplicates)


def _refuse_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(members)
    if len(document) < len(members):
        raise ValueError("duplicate member")
    return document


def _parse_kid(header: object) -> str:
    """The key id; ignores keys and addresses in the header, and refuses extensions."""
    if not isinstance(header, dict):
        raise InvalidToken("malformed")
    kid, kind = header.get("kid"), header.get("typ", "JWT")
    if header.get("alg") != "RS256" or "crit" in header or "b64" in header or kind != "JWT":
        raise InvalidToken("bad_header")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
        raise InvalidToken("bad_header")
    return kid


def check_times(claims: Claims, now: dt.datetime, needed: tuple[str, ...] = ("exp", "nbf", "iat")) -> None:
    """Checks `exp`, `nbf` and `iat` with a minute of leeway; all must be finite numbers, the `needed` ones present.

    PyJWT would read the system clock, and accept numbers in strings.

    Raises:
        InvalidToken: expired, not valid yet, or a time is missing or not a number.
    """
    times = {name: _parse_time(claims, name) for name in ("exp", "nbf", "iat") if name in needed or name in claims}
    instant = now.timestamp()
    if instant >= times.get("exp", math.inf) + LEEWAY_SECONDS:
        raise InvalidToken(EXPIRED)
    if max(times.get("nbf", -math.inf), times.get("iat", -math.inf)) > instant + LEEWAY_SECONDS:
        raise InvalidToken(NOT_YET_VALID)


def check_issuer(claims: Claims, key: SigningKey, authority: str) -> None:
    """Checks that the person's own directory issued the token, with one of its keys.

    Raises:
        InvalidToken: another issuer or key, or the directory of personal accounts.
    """
    tid, _oid = _require_guid(claims, "tid"), _require_guid(claims, "oid")
    issuer = f"{authority}/{tid}/v2.0"
    if claims.get("iss") != issuer:
        raise InvalidToken("wrong_issuer")
    # A key of the consumer tenant names that tenant, and must not sign for another one.
    if key.issuer is not None and key.issuer.replace("{tenantid}", tid) != issuer:
        raise InvalidToken("wrong_key_issuer")
    if tid == CONSUMER_TENANT:
        raise InvalidToken(CONSUMER_ACCOUNT)


def _parse_time(claims: Claims, name: str) -> int | float:
    value = claims.get(name)
    if type(value) is int or (type(value) is float and math.isfinite(value)):  # a bool is an int to isinstance
        return value
    raise InvalidToken("bad_times")


def _require_guid(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if isinstance(value, str) and GUID.match(value):
        return value
    raise InvalidToken("bad_ids")


def build_principal(claims: Claims) -> Principal:
    """The person of checked claims."""
    return Principal(
        tid=claims["tid"],
        oid=claims["oid"],
        name=_clean_text(claims.get("name")),
        username=_clean_address(claims.get("preferred_username")),
        email=_clean_address(claims.get("email")) if claims.get("xms_edov") in _VERIFIED else None,
        is_guest=_is_guest(claims),
        token_id=_clean_text(claims.get("uti")),
    )


def _clean_text(value: object) -> str | None:
    """The printable characters of a text, at most 256."""
    if not isinstance(value, str):
        return None
    text = value if value.isprintable() else "".join(filter(str.isprintable, value))
    return text[:MAX_TEXT_CHARS] or None


def _clean_address(value: object) -> str | None:
    """As `_clean_text`, but with a mark for removed characters, since a shortened address is another address."""
    if not isinstance(value, str) or not value:
        return None
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[: MAX_TEXT_CHARS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _is_guest(claims: Claims) -> bool | None:
    """Whether it is a guest by account type, or signed in by another directory; both claims are optional in Entra."""
    account, provider, tid = claims.get("acct"), claims.get("idp"), claims["tid"]
    own = {claims["iss"], f"https://sts.windows.net/{tid}"}  # v2 tokens contain the provider in its v1 form
    if account in (1, "1") or (isinstance(provider, str) and provider.rstrip("/") not in own):
        return True
    return False if account in (0, "0") or isinstance(provider, str) else None
