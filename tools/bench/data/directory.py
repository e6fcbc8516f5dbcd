"""The directory of the bench: Entra's stand-in on loopback, and tokens for the people of the load."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devcloud.emulators.entra import server
from devcloud.emulators.entra.admin import TokenOrder
from devcloud.emulators.entra.clients import EXTENSION as EXTENSION_CLIENT
from devcloud.emulators.entra.clients import TIMETRACKER_API
from shared import clock


API, EXTENSION = TIMETRACKER_API.id, EXTENSION_CLIENT.id
TID = "b0b0b0b0-0000-4000-8000-000000000000"
_VALID_SECONDS = 12 * 3600


def oid(number: int) -> str:
    return f"b0b0b0b0-0000-4000-8000-{number:012x}"


class Directory:
    """Issues tokens as Entra words them, which last as long as a bench may."""

    def __init__(self, stand_in: server.Entra) -> None:
        self._stand_in = stand_in
        self.authority = stand_in.url
        self.keys_url = f"{stand_in.url}/common/discovery/v2.0/keys"
        self.issuer = f"{stand_in.url}/{TID}/v2.0"

    def token(self, number: int) -> str:
        """An access token of one person of the bench."""
        now = int(clock.now().timestamp())
        email = f"person{number}@contoso.example"
        person = {"tid": TID, "oid": oid(number), "sub": oid(number), "name": f"Person {number}"}
        times = {"iat": now, "nbf": now, "exp": now + _VALID_SECONDS}
        claims = {"iss": self.issuer, "preferred_username": email, "email": email, **person, **times}
        return self._stand_in.admin.mint(TokenOrder(claims=claims))


@contextlib.contextmanager
def directory() -> Iterator[Directory]:
    """A directory whose keys are served for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder, server.running(Path(folder), port=0) as stand_in:
        yield Directory(stand_in)
