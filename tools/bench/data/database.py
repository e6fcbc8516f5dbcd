"""The databases a bench stands on: a tenant with its people and projects, and as many time entries as are asked for."""

import asyncio
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from devcloud.run import migrate
from shared.db.engine import make_engine
from shared.db.schema import organizations, projects, tenants, time_entry_days, users, work_item_readers, work_items
from tools.bench.data import rows
from tools.bench.data.engines import Engine, Progress
from tools.bench.load.processes import PROJECT


_MIB: Final = 2**20


class NoSpace(Exception):
    """The disk has not the space that the tables would take."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A database of an engine, with the tenant and so many entries."""

    engine: Engine
    database: str
    entries: int = 0

    @property
    def url(self) -> str:
        return self.engine.url(self.database)

    def total(self, first: str, last: str | None = None) -> tuple[int, int]:
        """Pieces and milliseconds from one month or day to another, added up without the product."""
        day = sa.cast(time_entry_days.c.work_date, sa.String)
        added = sa.select(sa.func.count(), sa.func.sum(time_entry_days.c.elapsed_ms))
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            count, ms = connection.execute(added.where(day >= first, day <= f"{last or first}~")).one()
        return int(count), int(ms)


def empty(engine: Engine, database: str) -> Ground:
    """A migrated database with the tenant, its people, projects and work items, and no time."""
    engine.create(database)
    url = engine.url(database)
    asyncio.run(migrate({**os.environ, "DATABASE_URL": url}))
    connected = make_engine(url)
    with connected.begin() as tx:
        tx.execute(tenants.insert(), rows.tenant())
        tx.execute(users.insert(), [rows.person(number) for number in range(rows.PEOPLE)])
        tx.execute(organizations.insert(), rows.organization())
        tx.execute(projects.insert(), [rows.project(number) for number in range(len(rows.PROJECTS))])
        tx.execute(work_items.insert(), list(rows.items()))
        tx.execute(work_item_readers.insert(), list(rows.readings()))
    connected.dispose()
    return Ground(engine, database)


def filled(engine: Engine, entries: int, progress: Progress) -> Ground:
    """The database with that many entries; made once, and again when the tables or the rows change."""
    name = f"entries_{entries}_{_version()}"
    found = engine.names()
    if name not in found:
        for old in found:
            if old.removeprefix("draft_").startswith(f"entries_{entries}_"):
                engine.drop(old)
        draft = f"draft_{name}"  # a run that is cut leaves it, and the next makes it anew
        empty(engine, draft)
        engine.fill(draft, rows.COLUMNS, rows.batches(entries), progress)
        engine.rename(draft, name)
    progress(1.0)
    return Ground(engine, name, entries)


def space(folder: Path, engines: list[Engine], sizes: list[int], *, anew: int = 0) -> tuple[int, int]:
    """MiB that the tables not there yet will take, with `anew` entries more, and MiB that are free.

    Raises:
        NoSpace: that is more than there is.
    """
    missing = [(each, size) for each in engines for size in sizes if not _has(each, size)]
    needed = sum(size * each.bytes_each for each, size in [*missing, *((each, anew) for each in engines)]) // _MIB
    free = shutil.disk_usage(folder).free // _MIB
    if needed > free * 0.9:
        raise NoSpace(f"the tables would take {needed:,} MiB, and {free:,} are free; take less --entries or no growth")
    return needed, free


def _has(engine: Engine, entries: int) -> bool:
    return f"entries_{entries}_{_version()}" in engine.names()


def _version() -> str:
    made_of = [*sorted((PROJECT / "migrations" / "versions").glob("*.py")), Path(rows.__file__)]
    return hashlib.sha256(b"".join(each.read_bytes() for each in made_of)).hexdigest()[:8]
