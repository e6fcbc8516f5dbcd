"""The database that operators work on: named by DATABASE_URL, reached, and found to be migrated, or told in a line."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from ops.exits import Unusable
from shared.db import operator
from shared.db.engine import make_engine
from shared.db.row_level_security import ALL_TENANTS, set_tenant
from shared.db.schema import metadata
from shared.db.statements import limit_statements
from shared.settings import Settings, SettingsError


_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_NEEDED: Final = ("DATABASE_URL", "TRIAL_DAYS", "TRIAL_USER_LIMIT")
_PROBES: Final = tuple(sa.select(*table.columns).where(sa.false()) for table in metadata.sorted_tables)


@dataclass(frozen=True, slots=True)
class Database:
    """The engine, and those settings that were asked for."""

    engine: sa.Engine
    settings: Settings

    @property
    def trial_days(self) -> int:
        return self.settings.trial_days

    @property
    def trial_user_limit(self) -> int:
        return self.settings.trial_user_limit

    @contextmanager
    def transaction(self, *, reads_only: bool = False, patient: bool = False) -> Iterator[sa.Connection]:
        """One transaction: leaving it commits, an exception undoes it; `patient` lifts the time limit of a statement.

        Raises:
            Unusable: the database failed; the text says how, in one line.
        """
        try:
            with self.attempt(reads_only=reads_only) as connection:
                if patient:
                    limit_statements(connection, 0)
                yield connection
        except sa.exc.DBAPIError as error:
            raise Unusable(f"the database failed: {first_line(error)}") from error

    @contextmanager
    def attempt(self, *, reads_only: bool = False) -> Iterator[sa.Connection]:
        """The same, with the database's faults as they come: for work that is tried again."""
        with self.engine.connect() as connection:
            if reads_only:
                connection = connection.execution_options(reads_only=True)  # noqa: PLW2901 - the same one, marked
            with connection.begin():
                set_tenant(connection, ALL_TENANTS)
                yield connection


def settings(environment: Mapping[str, str], *more: str) -> Settings:
    """The app's own reading of the settings that matter here; whom the app trusts does not, so nobody stands in.

    `more` are those that a command needs besides.

    Raises:
        Unusable: one of them is wrong.
    """
    needed = {name: environment.get(name, "") for name in (*_NEEDED, *more)}
    try:
        return Settings.from_env({**needed, "ENTRA_API_CLIENT_ID": _NOBODY, "ENTRA_CLIENT_IDS": _NOBODY})
    except SettingsError as error:
        raise Unusable(str(error)) from error


@contextmanager
def opened(environment: Mapping[str, str] = os.environ, *more: str) -> Iterator[Database]:
    """The database, known to answer and to have every table and column.

    Raises:
        Unusable: it cannot be named, reached or used; the text never holds a password.
    """
    given = settings(environment, *more)
    with reached(environment) as engine:
        _check(engine)
        yield Database(engine, given)


@contextmanager
def reached(environment: Mapping[str, str] = os.environ) -> Iterator[sa.Engine]:
    """The database, known to answer and nothing more.

    Raises:
        Unusable: it cannot be named or reached, or it refuses; the text never holds a password.
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
            raise Unusable(f"there is no database file {where}; set DATABASE_URL, or make one with scripts/run")
        engine = make_engine(url, pool_size=1)
        operator.track_operator(engine)
        return engine  # noqa: TRY300 - the clauses below are about all of it
    except ModuleNotFoundError as error:
        raise Unusable(f"the driver that DATABASE_URL asks for is not installed: {error.name}") from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise Unusable(
            "DATABASE_URL is not an SQLAlchemy URL of SQLite, PostgreSQL or Azure SQL, "
            "like postgresql+psycopg://user@host/timetracker"
        ) from error


def _connect(engine: sa.Engine) -> sa.Connection:
    try:
        return engine.connect()
    except sa.exc.DBAPIError as error:
        where = engine.url.host or engine.url.database
        raise Unusable(f"the database on {where} cannot be reached: {first_line(error)}") from error


def _check(engine: sa.Engine) -> None:
    with _connect(engine) as connection:
        try:
            for probe in _PROBES:
                connection.execute(probe)
        except sa.exc.DBAPIError as error:
            raise Unusable(
                f"the database is not migrated to this version ({first_line(error)}); run: alembic upgrade head"
            ) from error


def first_line(error: sa.exc.DBAPIError) -> str:
    """What the driver says; statement parameters are hidden, and no driver tells the password."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]


def reason(error: Exception) -> str:
    """Why one of many turns failed, for a line on its own."""
    return first_line(error) if isinstance(error, sa.exc.DBAPIError) else type(error).__name__
