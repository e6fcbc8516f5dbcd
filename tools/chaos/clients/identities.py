"""Ids and access tokens of the test users."""

import random
import uuid
from typing import Final, Literal

from devcloud.emulators.entra.admin import TokenRequest
from shared import clock
from tools.chaos.cloud.cloud import Cloud


_VALID_SECONDS: Final = 2 * 24 * 3600


def new_id(rng: random.Random) -> str:
    """A random id, repeated by the same seed."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def mint_token(
    cloud: Cloud, tid: str, oid: str, name: str, *, key: Literal["current", "unpublished"] = "current"
) -> str:
    """An access token with Entra's claims, valid for the whole run."""
    now, email = int(clock.now().timestamp()), f"{oid}@contoso.example"
    claims = {"iss": f"{cloud.entra.url}/{tid}/v2.0", "tid": tid, "oid": oid, "sub": oid, "name": name}
    times = {"iat": now - _VALID_SECONDS, "nbf": now - _VALID_SECONDS, "exp": now + _VALID_SECONDS}
    claims |= {"preferred_username": email, "email": email}
    return cloud.entra.admin.mint(TokenRequest(claims={**claims, **times}, key=key))
