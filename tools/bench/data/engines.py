"""The database engines of a bench: what each calls its databases, and its quickest way to fill large tables."""

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import psycopg
import sqlalchemy as sa

from devcloud import postgres
from shared.db.schema import metadata
from tools.bench.data.rows import Batch, Values


Progress = Callable[[float], None]
Columns: TypeAlias = Mapping[str, Sequence[str]]  # of tables by their names, those that others point to first


class Engine(Protocol):
    """Keeps databases by name; `bytes_each` is about what an entry takes with all its indexes."""

    name: str
    bytes_each: int

    @property
    def version(self) -> str: ...

    def url(self, database: str) -> str: ...

    def names(self) -> list[str]: ...

    def create(self, database: str) -> None:
        """Makes an empty one, in the place of an older one."""

    def drop(self, database: str) -> None: ...

    def rename(self, database: str, to: str) -> None: ...

    def copy(self, database: str, to: str) -> None:
        """Makes one with the same rows, in the place of an older one, and waits until it is on the disk."""

    def fill(self, database: str, columns: Columns, batches: Iterable[Batch], progress: Progress) -> None:
        """Writes rows of these tables without waiting for the disk: what is lost is made again."""


class Sqlite:
    """One file for each database."""

    name = "SQLite"
    bytes_each = 550

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def url(self, database: str) -> str:
        return f"sqlite:///{self._path(database)}"

    def names(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.db")]

    def create(self, database: str) -> None:
        self.drop(database)

    def drop(self, database: str) -> None:
        for old in self._folder.glob(f"{database}.db*"):
            old.unlink()

    def rename(self, database: str, to: str) -> None:
        self._path(database).rename(self._path(to))

    def copy(self, database: str, to: str) -> None:
        self.create(to)
        with closing(sqlite3.connect(self._path(database))) as source, closing(sqlite3.connect(self._path(to))) as made:
            source.backup(made)

    def fill(self, database: str, columns: Columns, batches: Iterable[Batch], progress: Progress) -> None:
        connection = sqlite3.connect(self._path(database), isolation_level=None)
        for pragma in ("synchronous=OFF", "cache_size=-262144", "foreign_keys=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        made = [(name, sql) for name, sql in indexes if any(f" ON {table} " in sql for table in columns)]
        for name, _ in made:
            connection.execute(f"DROP INDEX {name}")
        into = [_insert(table, names) for table, names in columns.items()]
        for done, batch in batches:
            connection.execute("BEGIN")
            for statement, values in zip(into, batch, strict=True):
                connection.executemany(statement, values)
            connection.execute("COMMIT")
            progress(done * 0.8)
        for number, (_, sql) in enumerate(made):
            connection.execute(sql)
            progress(0.8 + 0.2 * number / len(made))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def _path(self, database: str) -> Path:
        return self._folder / f"{database}.db"


class Postgres:
    """Databases on one server, whose maintenance database is given."""

    name = "PostgreSQL"
    bytes_each = 750

    def __init__(self, server_url: str) -> None:
        self._server = sa.make_url(server_url)
        self._admin = sa.create_engine(server_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def url(self, database: str) -> str:
        return self._server.set(database=f"bench_{database}").render_as_string(hide_password=False)

    def names(self) -> list[str]:
        with self._admin.connect() as connection:
            found = connection.exec_driver_sql("SELECT datname FROM pg_database WHERE starts_with(datname, 'bench_')")
            return [name.removeprefix("bench_") for name in found.scalars()]

    @property
    def version(self) -> str:
        with self._admin.connect() as connection:
            return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"

    def create(self, database: str) -> None:
        postgres.make_database(self._server.render_as_string(hide_password=False), f"bench_{database}")

    def drop(self, database: str) -> None:
        self._run(f'DROP DATABASE "bench_{database}" WITH (FORCE)')

    def rename(self, database: str, to: str) -> None:
        self._run(f'ALTER DATABASE "bench_{database}" RENAME TO "bench_{to}"')

    def copy(self, database: str, to: str) -> None:
        self._run(f'DROP DATABASE IF EXISTS "bench_{to}" WITH (FORCE)')
        self._run(f'CREATE DATABASE "bench_{to}" TEMPLATE "bench_{database}"')
        self._run("CHECKPOINT")

    def fill(self, database: str, columns: Columns, batches: Iterable[Batch], progress: Progress) -> None:
        engine = sa.create_engine(self.url(database), poolclass=sa.NullPool)
        tables = [metadata.tables[name] for name in columns]
        with engine.begin() as tx:
            for table in tables:
                for index in table.indexes:
                    index.drop(tx)
                for key in table.foreign_key_constraints:
                    tx.execute(sa.schema.DropConstraint(key))
        with psycopg.connect(self.url(database).replace("+psycopg", "")) as connection:
            for done, batch in batches:
                for (name, names), values in zip(columns.items(), batch, strict=True):
                    _copy(connection, name, names, values)
                connection.commit()
                progress(done * 0.7)
        with engine.begin() as tx:
            for table in tables:
                for index in table.indexes:
                    index.create(tx)
            for key in itertools.chain.from_iterable(table.foreign_key_constraints for table in tables):
                tx.execute(sa.schema.AddConstraint(key))
        progress(0.9)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in _filled(connection):  # as the server would do in time, which leaves empty ones alone
                connection.exec_driver_sql(f"VACUUM (ANALYZE) {table.name}")
        engine.dispose()

    def _run(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)


def _filled(connection: sa.Connection) -> list[sa.Table]:
    return [each for each in metadata.sorted_tables if connection.execute(sa.select(each).limit(1)).first() is not None]


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - ours


def _copy(connection: psycopg.Connection[Any], table: str, columns: Sequence[str], values: Sequence[Values]) -> None:
    with connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        copy.write("".join("\t".join(map(str, row)) + "\n" for row in values))
