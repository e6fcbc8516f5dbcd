"""The product as real processes on real databases, and concurrent people."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from shared import clock
from tests.devcloud import processes
from tests.support import entra as entra_support
from tests.support import forks
from tests.support.entra import Entra
from tests.support.logs import follow
from tests.support.world import Answer, Http, Person, new_id


T = TypeVar("T")
THREADS = "8"
READY = "host ready on "


def environment(database_url: str, entra: Entra, **more: str) -> dict[str, str]:
    """The environment of a host."""
    return {
        "DATABASE_URL": database_url,
        "ENTRA_AUTHORITY": entra.authority,
        "ENTRA_KEYS_URL": f"{entra.authority}/common/discovery/v2.0/keys",
        "ENTRA_API_CLIENT_ID": entra_support.API_CLIENT_ID,
        "ENTRA_CLIENT_IDS": entra_support.EXTENSION_CLIENT_ID,
        "MONTH_CLOSE_SCHEDULE": "0 5 * * * *",
        "TRIAL_EXPIRY_SCHEDULE": "0 20 * * * *",
        "FORGOTTEN_TIMER_SCHEDULE": "0 */5 * * * *",
        "RETENTION_SCHEDULE": "0 10 * * * *",
        "USAGE_SCHEDULE": "0 15 * * * *",
        "PYTHON_THREADPOOL_THREAD_COUNT": THREADS,
        **more,
    }


@contextlib.contextmanager
def host(log: Path, settings: dict[str, str]) -> Iterator[str]:
    """Starts a host process; yields its base URL."""
    command = ("devcloud", "host", "--app", str(processes.ROOT), "--port", "0")
    with (
        follow(log).open("w") as stderr,
        forks.start(*command, env=processes.environment(**settings), stderr=stderr) as process,
    ):
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            assert ready.startswith(READY), log.read_text()
            yield ready.removeprefix(READY).strip()
        finally:
            process.kill()


_local = threading.local()


def connect(base: str) -> Http:
    """This thread's connection to a host."""
    known: dict[str, Http] = _local.__dict__.setdefault("known", {})
    if base not in known:
        known[base] = Http(base)
    return known[base]


def via(person: Person, base: str) -> Person:
    """The same person, on this thread's connection to a host."""
    return replace(person, http=connect(base))


def person(entra: Entra, base: str, tid: str | None = None, *, email: str | None = None) -> Person:
    """A person with a valid token, in a new directory by default."""
    tid, oid = tid or new_id(), new_id()
    name = f"Person {oid[:6]}"
    email = email or f"{oid}@contoso.example"
    token = entra.token(tid=tid, oid=oid, name=name, email=email, at=clock.now())
    return Person(connect(base), tid, oid, name, email, token)


def register(admin: Person, *, key: str | None = None) -> Answer:
    body = {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "Europe/Berlin"}
    return admin.post("tenants", body, key=key)


def admin(entra: Entra, base: str, tid: str | None = None) -> Person:
    """Registers a tenant; returns its super admin."""
    somebody = person(entra, base, tid)
    made = register(somebody)
    assert made.status == 201, made.raw
    return somebody


class Crowd:
    """Threads that send requests at the same instant."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="crowd")

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Makes the calls together, at most as many as threads; returns the results in order."""
        together = threading.Barrier(len(calls))

        def one(call: Callable[[], T]) -> T:
            together.wait(30)
            return call()

        return list(self._pool.map(one, calls))

    def close(self) -> None:
        self._pool.shutdown()
