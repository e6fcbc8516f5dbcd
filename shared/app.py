"""The composition root: one frozen App holds what handlers and jobs are given; tests put another in its place."""

import datetime as dt
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import sqlalchemy as sa

from shared import clock
from shared.action_log import ActionLog, choose
from shared.azure_devops import AzureDevOps
from shared.db.engine import LOCK_WAIT_SECONDS, make_engine
from shared.db.wall import enter
from shared.errors import Unavailable
from shared.identity import Validator
from shared.liveness import Liveness
from shared.log import get_logger
from shared.restore.watch import Watch
from shared.settings import Settings
from shared.signing_keys import SigningKeys


if TYPE_CHECKING:
    from shared.marketplace.client import Marketplace
    from shared.sign_in.client import SignIns


@dataclass(frozen=True, kw_only=True)
class App:
    """Everything outside the process that the code may touch, and the two sources of surprise: time and ids."""

    settings: Settings
    engine: sa.Engine
    validator: Validator
    azure_devops: AzureDevOps
    now: Callable[[], dt.datetime] = field(default=clock.now)
    new_id: Callable[[], uuid.UUID] = field(default=clock.new_id)
    about: int | None = None  # the tenant of transactions that name none: an operator's are about EVERY_TENANT
    liveness: Liveness[bool] = field(default_factory=Liveness, init=False, repr=False)
    _writer: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def action_log(self) -> ActionLog:
        return choose(self.settings.action_log_table_endpoint, self.transaction)

    @cached_property
    def restore_watch(self) -> Watch:
        """The way to the store outside the database, which is where the action log is; off where that is in SQL."""
        return Watch(self.settings.action_log_table_endpoint)

    @cached_property
    def v1_keys(self) -> SigningKeys:
        """The keys of tokens in Entra's old form, which the Marketplace may use."""
        return SigningKeys(self.settings.entra_v1_keys_url)

    @cached_property
    def marketplace(self) -> "Marketplace | None":
        """None where the settings do not name our app in Partner Center: the Marketplace is off."""
        if not self.settings.marketplace_is_on:
            return None
        from shared.marketplace.client import Marketplace  # noqa: PLC0415 - a cold start does without it

        return Marketplace.of(self.settings)

    @cached_property
    def landing(self) -> "SignIns | None":
        """How buyers sign in; None where the settings do not say, and then there is no landing page."""
        if not self.settings.landing_page_is_on:
            return None
        from shared.sign_in.client import SignIns  # noqa: PLC0415 - a cold start does without it

        return SignIns(self.settings, self.validator.keys, now=self.now)

    @contextmanager
    def transaction(self, *, reads_only: bool = False, tenant: int | None = None) -> Iterator[sa.Connection]:
        """One transaction: leaving it commits, an exception undoes it.

        `tenant` says whose rows it is about, or EVERY_TENANT; None until the tenant is found by its directory's id,
        read or held, which says so likewise.
        """
        with self._turn(reads_only=reads_only), self.engine.connect() as connection:
            if reads_only:
                connection = connection.execution_options(reads_only=True)  # noqa: PLW2901 - the same one, marked
            with connection.begin():
                if (about := self.about if tenant is None else tenant) is not None:
                    enter(connection, about)
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
    validator = Validator(SigningKeys(settings.entra_keys_url), settings, now=now)
    return App(
        settings=settings,
        engine=make_engine(settings.database_url),
        validator=validator,
        azure_devops=AzureDevOps(settings.azure_devops_url),
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
