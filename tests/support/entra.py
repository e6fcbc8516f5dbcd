"""The Entra emulator of a test session: a real server for keys, and tokens with any claims."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcloud.emulators.entra import server
from devcloud.emulators.entra.admin import TokenRequest
from devcloud.emulators.entra.clients import EXTENSION, SCRIPTS, TIMETRACKER_API


API_CLIENT_ID = TIMETRACKER_API.id
EXTENSION_CLIENT_ID = EXTENSION.id
SCRIPTS_CLIENT_ID = SCRIPTS.id
DAY = 24 * 3600


@dataclass(frozen=True)
class Entra:
    emulator: server.Entra

    @property
    def authority(self) -> str:
        return self.emulator.url

    def token(self, *, tid: str, oid: str, name: str, email: str, at: dt.datetime, **claims: Any) -> str:  # noqa: ANN401
        """A person's access token, valid for a year before and after `at`, since tests move the clock."""
        seconds = int(at.timestamp())
        person = {
            "iss": f"{self.authority}/{tid}/v2.0",
            "tid": tid,
            "oid": oid,
            "sub": oid,
            "name": name,
            "preferred_username": email,
            "email": email,
            "xms_edov": None,  # as for a directory with an unproved domain
            "iat": seconds - 400 * DAY,
            "nbf": seconds - 400 * DAY,
            "exp": seconds + 400 * DAY,
        }
        return self.emulator.admin.mint(TokenRequest(claims={**person, **claims}))


@contextmanager
def running(folder: Path) -> Iterator[Entra]:
    with server.running(folder, port=0) as emulator:
        yield Entra(emulator)
