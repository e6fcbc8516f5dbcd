"""The composition root: one frozen App for handlers and jobs, which tests replace."""

import datetime as dt
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from shared import clock
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import TokenValidator
from shared.db.engine import LOCK_WAIT_SECONDS, make_engine
from shared.db.row_level_security import set_tenant
from shared.errors import Unavailable
from shared.liveness import Liveness
from shared.log import get_logger
from shared.settings import Settings


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class App:
    """The settings and outside dependencies of the code, with the sources of time and ids."""

    settings: Settings
    engine: sa.Engine
    validator: TokenValidator
    now: Callable[[], dt.datetime] = field(default=clock.now)
    new_id: Callable[[], uuid.UUID] = field(default=clock.new_id)
    default_tenant: int | None = None  # of transactions without one; ALL_TENANTS for operators
    liveness: Liveness[bool] = field(default_factory=Liveness, init=False, repr=False)
    _writer: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _clients: dict[Callable[["App"], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _clients_lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    def once(self, make: Callable[["App"], T]) -> T:
        """Returns `make(app)`, created at the first use and then the same; concurrent callers wait for it."""
        if make not in self._clients:
            with self._clients_lock:  # reentrant, since a client may need another one
                if make not in self._clients:
                    self._clients[make] = make(self)
        client: T = self._clients[make]
        return client

    def close(self) -> None:
        """Closes the clients that can be closed."""
        for client in self._clients.values():
            if hasattr(client, "close"):
                client.close()

    @contextmanager
    def transaction(self, *, reads_only: bool = False, tenant: int | None = None) -> Iterator[sa.Connection]:
        """One transaction: leaving it commits, an exception undoes it.

        `tenant` is a row id or ALL_TENANTS. Without it, the tenant is set once its row is read or locked.
        """
        with self._write_lock(reads_only=reads_only), self.engine.connect() as connection:
            if reads_only:
                connection = connection.execution_options(reads_only=True)  # noqa: PLW2901 - the same connection
            with connection.begin():
                if (found := self.default_tenant if tenant is None else tenant) is not None:
                    set_tenant(connection, found)
                yield connection

    @property
    def has_one_writer(self) -> bool:
        """Whether the database allows one writing transaction at a time, as SQLite does."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def _write_lock(self, *, reads_only: bool) -> Iterator[None]:
        """Lets writers wait for each other here, since SQLite's own wait sleeps up to 100 ms between tries."""
        if reads_only or not self.has_one_writer:
            yield
            return
        if not self._writer.acquire(timeout=LOCK_WAIT_SECONDS):
            raise Unavailable("The database is busy. Nothing was changed; try again in a moment.")
        try:
            yield
        finally:
            self._writer.release()


def build(settings: Settings, *, now: Callable[[], dt.datetime] = clock.now) -> App:
    """The production App; nothing is connected or fetched before it is needed."""
    get_logger()  # before a library logs
    validator = TokenValidator(SigningKeys(settings.entra_keys_url), settings, now=now)
    return App(
        settings=settings,
        engine=make_engine(settings.database_url),
        validator=validator,
        now=now,
    )


_lock = threading.Lock()
_current: App | None = None


def current() -> App:
    """The App of this process, built from the environment at its first use.

    Raises:
        SettingsError: a setting is missing or wrong.
    """
    global _current  # noqa: PLW0603 - the one place a process keeps its App
    if _current is None:
        with _lock:
            if _current is None:
                _current = build(Settings.from_env(os.environ))
    return _current


@contextmanager
def use(app: App) -> Iterator[App]:
    """Replaces the App of this process for a while, in tests."""
    global _current  # noqa: PLW0603 - the one place a process keeps its App
    before, _current = _current, app
    try:
        yield app
    finally:
        _current = before
