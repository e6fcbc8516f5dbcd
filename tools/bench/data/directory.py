"""The directory of the benchmarks: the Entra emulator, and tokens for the users."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devcloud.emulators.entra import server
from devcloud.emulators.entra.admin import TokenRequest
from devcloud.emulators.entra.clients import EXTENSION as EXTENSION_CLIENT
from devcloud.emulators.entra.clients import TIMETRACKER_API
from shared import clock


API, EXTENSION = TIMETRACKER_API.id, EXTENSION_CLIENT.id
TID = "b0b0b0b0-0000-4000-8000-000000000000"
_VALID_SECONDS = 12 * 3600


def oid(number: int) -> str:
    return f"b0b0b0b0-0000-4000-8000-{number:012x}"


class Directory:
    """Issues tokens with Entra's claims, valid for the whole benchmark."""

    def __init__(self, emulator: server.Entra) -> None:
        self._emulator = emulator
        self.authority = emulator.url
        self.keys_url = f"{emulator.url}/common/discovery/v2.0/keys"
        self.issuer = f"{emulator.url}/{TID}/v2.0"

    def token(self, number: int) -> str:
        """An access token of one user."""
        now = int(clock.now().timestamp())
        email = f"person{number}@contoso.example"
        person = {"tid": TID, "oid": oid(number), "sub": oid(number), "name": f"Person {number}"}
        times = {"iat": now, "nbf": now, "exp": now + _VALID_SECONDS}
        claims = {"iss": self.issuer, "preferred_username": email, "email": email, **person, **times}
        return self._emulator.admin.mint(TokenRequest(claims=claims))


@contextlib.contextmanager
def start_directory() -> Iterator[Directory]:
    """A directory that serves its keys for the duration of the context."""
    with tempfile.TemporaryDirectory() as folder, server.running(Path(folder), port=0) as emulator:
        yield Directory(emulator)
