"""The database engines of the benchmarks, and a fast way to fill large tables."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import sqlalchemy as sa

from devcloud import postgres
from shared.db.schema import metadata
from tools.bench.data.rows import Batch


Columns: TypeAlias = Mapping[str, Sequence[str]]  # by table, in the order of foreign keys


@dataclass(frozen=True, slots=True)
class Engine:
    """Databases by name; `create` replaces a database by an empty one."""

    name: str
    version: str
    url: Callable[[str], str]
    create: Callable[[str], None]


def sqlite(folder: Path) -> Engine:
    """SQLite with one file per database."""
    folder.mkdir(parents=True, exist_ok=True)

    def create(database: str) -> None:
        for old in folder.glob(f"{database}.db*"):
            old.unlink()

    return Engine("SQLite", f"SQLite {sqlite3.sqlite_version}", lambda name: f"sqlite:///{folder / name}.db", create)


def postgresql(server_url: str) -> Engine:
    """PostgreSQL; `server_url` is the maintenance database."""
    server = sa.make_url(server_url)
    admin = sa.create_engine(server, poolclass=sa.NullPool)
    with admin.connect() as connection:
        version = f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"

    def url(database: str) -> str:
        return server.set(database=f"bench_{database}").render_as_string(hide_password=False)

    def create(database: str) -> None:
        postgres.make_database(server_url, f"bench_{database}")

    return Engine("PostgreSQL", version, url, create)


def fill(url: str, columns: Columns, batches: Iterable[Batch], progress: Callable[[float], None]) -> None:
    """Inserts rows without indexes, then creates the indexes. SQLite does not check foreign keys here."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    on_postgres = engine.dialect.name == "postgresql"
    indexes = [index for table in columns for index in metadata.tables[table].indexes]
    into = [_insert(table, names, "%s" if on_postgres else "?") for table, names in columns.items()]
    with engine.begin() as tx:
        for index in indexes:
            index.drop(tx)
        for done, batch in batches:
            for statement, rows in zip(into, batch, strict=True):
                # PostgreSQL converts text to the type of the column
                tx.exec_driver_sql(statement, [tuple(map(str, row)) for row in rows] if on_postgres else list(rows))
            progress(done * 0.8)
        for index in indexes:
            index.create(tx)
    if on_postgres:  # as the server does in time
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in columns:
                connection.exec_driver_sql(f"VACUUM (ANALYZE) {table}")
    progress(1.0)


def _insert(table: str, columns: Sequence[str], parameter: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([parameter] * len(columns))})"  # noqa: S608 - ours
