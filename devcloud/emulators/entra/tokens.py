"""The claims of tokens as in Entra: v2 access tokens of people and apps, and ID tokens."""

import datetime as dt
import hashlib
import secrets
import uuid
from typing import Any, Final

from devcloud.emulators.entra.clients import Api, Client, GrantedScope
from devcloud.emulators.entra.keyring import SigningKeyPair, base64url
from devcloud.emulators.entra.people import Person


SHORTEST_SECONDS: Final = 60 * 60
LONGEST_SECONDS: Final = 90 * 60
ID_TOKEN_SECONDS: Final = 60 * 60

Claims = dict[str, Any]


def issuer_of(authority: str, tid: str) -> str:
    return f"{authority}/{tid}/v2.0"


def random_lifetime() -> int:
    """Random seconds from 60 to 90 minutes, as in Entra."""
    return SHORTEST_SECONDS + secrets.randbelow(LONGEST_SECONDS - SHORTEST_SECONDS)


def build_access_token(
    authority: str, person: Person, client: Client, granted: GrantedScope, *, now: dt.datetime, seconds: int
) -> Claims:
    return {
        **_common(authority, person.directory.tid, granted.api.id, now=now, seconds=seconds),
        **_about(person, pairwise_for=granted.api.id),
        "acct": int(person.is_guest),
        "azp": client.id,
        "azpacr": "1" if client.secret else "0",
        "scp": " ".join(granted.scopes),
    }


def build_id_token(authority: str, person: Person, client: Client, nonce: str | None, *, now: dt.datetime) -> Claims:
    """The ID token; its audience is the client, and it has no scope."""
    claims = {
        **_common(authority, person.directory.tid, client.id, now=now, seconds=ID_TOKEN_SECONDS),
        **_about(person, pairwise_for=client.id),
    }
    return {**claims, "nonce": nonce} if nonce else claims


def build_app_token(authority: str, tid: str, client: Client, api: Api, *, now: dt.datetime, seconds: int) -> Claims:
    """The token of an app without a person: roles instead of scopes."""
    principal = str(uuid.uuid5(uuid.UUID(client.id), tid))
    return {
        **_common(authority, tid, api.id, now=now, seconds=seconds),
        "azp": client.id,
        "azpacr": "1",
        "idtyp": "app",
        "oid": principal,
        "roles": list(api.roles),
        "sub": principal,
    }


def build_header(pair: SigningKeyPair) -> dict[str, Any]:
    return {"typ": "JWT", "alg": "RS256", "kid": pair.kid}


def _common(authority: str, tid: str, audience: str, *, now: dt.datetime, seconds: int) -> Claims:
    issued = int(now.timestamp())
    return {
        "aud": audience,
        "iss": issuer_of(authority, tid),
        "iat": issued,
        "nbf": issued,
        "exp": issued + seconds,
        "aio": secrets.token_urlsafe(48),
        "rh": f"0.{secrets.token_urlsafe(32)}.",
        "tid": tid,
        "uti": secrets.token_urlsafe(16),
        "ver": "2.0",
    }


def _about(person: Person, *, pairwise_for: str) -> Claims:
    subject = base64url(hashlib.sha256(f"{pairwise_for}|{person.oid}".encode()).digest())
    claims: Claims = {"name": person.name, "oid": person.oid, "preferred_username": person.email, "sub": subject}
    claims["email"] = person.email
    if person.has_verified_email:
        claims["xms_edov"] = True
    return {**claims, "idp": f"https://sts.windows.net/{person.home.tid}/"} if person.is_guest else claims
