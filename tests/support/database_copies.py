"""Copies whole databases, as a restored backup would."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from devcloud import postgres
from shared.db.engine import make_engine


Copy = Callable[[sa.Engine], sa.Engine]
_NUMBERS = itertools.count()


@contextmanager
def database_copier(folder: Path) -> Iterator[Copy]:
    """Yields a function that copies an engine's database, without open transactions, and returns the copy's engine."""
    made: list[sa.Engine] = []

    def copy(engine: sa.Engine) -> sa.Engine:
        engine.dispose()
        url = engine.url.render_as_string(hide_password=False)
        of = _sqlite if engine.dialect.name == "sqlite" else _postgresql
        made.append(make_engine(of(url, folder)))
        return made[-1]

    yield copy
    for engine in made:
        engine.dispose()


def _sqlite(url: str, folder: Path) -> str:
    copy = folder / f"copy_{next(_NUMBERS)}.db"
    with closing(sqlite3.connect(str(sa.make_url(url).database))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return f"sqlite:///{copy}"


def _postgresql(url: str, _folder: Path) -> str:
    source = sa.make_url(url).set(drivername="postgresql+psycopg")  # the engine's own names our dialect
    name = f"{source.database}_{next(_NUMBERS)}"
    server = source.set(database="postgres").render_as_string(hide_password=False)
    return postgres.make_database(server, name, template=source.database)
