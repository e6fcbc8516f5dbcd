"""The composition root: one frozen App holds what handlers and jobs are given; tests put another in its place."""

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
    """Everything outside the process that the code may touch, and the two sources of surprise: time and ids."""

    settings: Settings
    engine: sa.Engine
    validator: TokenValidator
    now: Callable[[], dt.datetime] = field(default=clock.now)
    new_id: Callable[[], uuid.UUID] = field(default=clock.new_id)
    about: int | None = None  # the tenant of transactions that name none: an operator's are about ALL_TENANTS
    liveness: Liveness[bool] = field(default_factory=Liveness, init=False, repr=False)
    _writer: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _made: dict[Callable[["App"], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _making: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    def once(self, make: Callable[["App"], T]) -> T:
        """What `make` makes of this App, made when first asked for; whoever asks meanwhile waits for the same one."""
        if make not in self._made:
            with self._making:  # to be entered again: what is made may ask for what it needs
                if make not in self._made:
                    self._made[make] = make(self)
        made: T = self._made[make]
        return made

    def close(self) -> None:
        """Closes what was made, where it can be closed."""
        for made in self._made.values():
            if hasattr(made, "close"):
                made.close()

    @contextmanager
    def transaction(self, *, reads_only: bool = False, tenant: int | None = None) -> Iterator[sa.Connection]:
        """One transaction: leaving it commits, an exception undoes it.

        `tenant` says whose rows it is about, or ALL_TENANTS; None until the tenant is found by its directory's id,
        read or held, which says so likewise.
        """
        with self._turn(reads_only=reads_only), self.engine.connect() as connection:
            if reads_only:
                connection = connection.execution_options(reads_only=True)  # noqa: PLW2901 - the same one, marked
            with connection.begin():
                if (about := self.about if tenant is None else tenant) is not None:
                    set_tenant(connection, about)
                yield connection

    @property
    def has_one_writer(self) -> bool:
        """Whether the database, which is SQLite then, lets one transaction write at a time."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def _turn(self, *, reads_only: bool) -> Iterator[None]:
        """SQLite has one writer, and whoever it turns away sleeps up to 100 ms between tries: threads queue up here."""
        if reads_only or not self.has_one_writer:
            yield
            return
        if not self._writer.acquire(timeout=LOCK_WAIT_SECONDS):
            raise Unavailable("Too much is being written at once. Nothing was changed; try again in a moment.")
        try:
            yield
        finally:
            self._writer.release()


def build(settings: Settings, *, now: Callable[[], dt.datetime] = clock.now) -> App:
    """The production App; nothing is connected or fetched before it is needed."""
    get_logger()  # before a library logs of its own accord
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
    """The App of this process, built from the environment when first asked for.

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
    """Puts another App in place for a while: the seam for tests."""
    global _current  # noqa: PLW0603 - the one place a process keeps its App
    before, _current = _current, app
    try:
        yield app
    finally:
        _current = before
