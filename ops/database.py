"""The database that DATABASE_URL names: reachable and migrated, or a one-line error."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from ops.errors import ServiceUnavailable, WrongUsage
from shared.db import operator
from shared.db.engine import make_engine
from shared.db.row_level_security import ALL_TENANTS, set_tenant
from shared.db.schema import metadata
from shared.db.statements import limit_statements
from shared.settings import Settings, SettingsError


_NO_CLIENT: Final = "00000000-0000-0000-0000-000000000000"
_NEEDED: Final = ("DATABASE_URL", "TRIAL_DAYS", "TRIAL_USER_LIMIT")
_PROBES: Final = tuple(sa.select(*table.columns).where(sa.false()) for table in metadata.sorted_tables)


@dataclass(frozen=True, slots=True)
class Database:
    """The engine, and the settings that the command needs."""

    engine: sa.Engine
    settings: Settings

    @property
    def trial_days(self) -> int:
        return self.settings.trial_days

    @property
    def trial_user_limit(self) -> int:
        return self.settings.trial_user_limit

    @contextmanager
    def transaction(self, *, reads_only: bool = False, without_limit: bool = False) -> Iterator[sa.Connection]:
        """One transaction; `without_limit` removes the time limit of a statement.

        Raises:
            ServiceUnavailable: the database failed.
        """
        try:
            with self.attempt(reads_only=reads_only) as connection:
                if without_limit:
                    limit_statements(connection, 0)
                yield connection
        except sa.exc.DBAPIError as error:
            raise ServiceUnavailable(f"the database failed: {first_line(error)}") from error

    @contextmanager
    def attempt(self, *, reads_only: bool = False) -> Iterator[sa.Connection]:
        """The same with the database's own exceptions, for work that is retried."""
        with self.engine.connect() as connection:
            if reads_only:
                connection = connection.execution_options(reads_only=True)  # noqa: PLW2901 - the same one, marked
            with connection.begin():
                set_tenant(connection, ALL_TENANTS)
                yield connection


def settings(environment: Mapping[str, str], *more: str) -> Settings:
    """The settings that commands need, read as the app reads them; `more` are those of one command.

    Raises:
        WrongUsage: a setting is wrong.
    """
    needed = {name: environment.get(name, "") for name in (*_NEEDED, *more)}
    try:
        return Settings.from_env({**needed, "ENTRA_API_CLIENT_ID": _NO_CLIENT, "ENTRA_CLIENT_IDS": _NO_CLIENT})
    except SettingsError as error:
        raise WrongUsage(str(error)) from error


@contextmanager
def open_database(environment: Mapping[str, str] = os.environ, *more: str) -> Iterator[Database]:
    """The database, connected, with every table and column of this version.

    Raises:
        WrongUsage: DATABASE_URL or another setting is wrong.
        ServiceUnavailable: it cannot be reached or used; the text never contains a password.
    """
    chosen = settings(environment, *more)
    with open_engine(environment) as engine:
        _require_migrated(engine)
        yield Database(engine, chosen)


@contextmanager
def open_engine(environment: Mapping[str, str] = os.environ) -> Iterator[sa.Engine]:
    """The engine of the database, connected once.

    Raises:
        WrongUsage: DATABASE_URL is wrong.
        ServiceUnavailable: it cannot be reached; the text never contains a password.
    """
    engine = _engine(settings(environment).database_url)
    try:
        _connect(engine).close()
        yield engine
    finally:
        engine.dispose()


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            where = parsed.database or "in memory"
            raise ServiceUnavailable(
                f"there is no database file {where}; set DATABASE_URL, or create one with scripts/run"
            )
        engine = make_engine(url, pool_size=1)
        operator.track_operator(engine)
        return engine  # noqa: TRY300 - the clauses below are for all of it
    except ModuleNotFoundError as error:
        raise ServiceUnavailable(f"the driver of DATABASE_URL is not installed: {error.name}") from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise WrongUsage(
            "DATABASE_URL is not an SQLAlchemy URL of SQLite, PostgreSQL or Azure SQL, "
            "like postgresql+psycopg://user@host/timetracker"
        ) from error


def _connect(engine: sa.Engine) -> sa.Connection:
    try:
        return engine.connect()
    except sa.exc.DBAPIError as error:
        where = engine.url.host or engine.url.database
        raise ServiceUnavailable(f"the database on {where} cannot be reached: {first_line(error)}") from error


def _require_migrated(engine: sa.Engine) -> None:
    with _connect(engine) as connection:
        try:
            for probe in _PROBES:
                connection.execute(probe)
        except sa.exc.DBAPIError as error:
            raise ServiceUnavailable(
                f"the database is not migrated to this version ({first_line(error)}); run: alembic upgrade head"
            ) from error


def first_line(error: sa.exc.DBAPIError) -> str:
    """The driver's message, without statement parameters; no driver includes the password."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]


def describe_error(error: Exception) -> str:
    """The cause of one tenant's failure, for a line of its own."""
    return first_line(error) if isinstance(error, sa.exc.DBAPIError) else type(error).__name__
