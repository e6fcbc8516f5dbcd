"""The databases of the benchmarks: a tenant with people, projects and any number of time entries."""

import asyncio
import os
from dataclasses import dataclass

import sqlalchemy as sa

from devcloud.run import migrate
from shared.db.engine import make_engine
from shared.db.schema import organizations, projects, tenants, time_entry_days, users, work_item_readers, work_items
from tools.bench.bench import Bench
from tools.bench.data import rows
from tools.bench.data.engines import Engine, fill


@dataclass(frozen=True, slots=True)
class Database:
    """A database with the tenant."""

    engine: Engine
    database: str

    @property
    def url(self) -> str:
        return self.engine.url(self.database)

    def total(self, month: str) -> tuple[int, int]:
        """Rows and milliseconds of a month, summed without the product."""
        day = sa.cast(time_entry_days.c.work_date, sa.String)
        query = sa.select(sa.func.count(), sa.func.sum(time_entry_days.c.elapsed_ms))
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            count, ms = connection.execute(query.where(day.startswith(month))).one()
        return int(count), int(ms)


def create_empty(engine: Engine, database: str) -> Database:
    """Creates a database with the tenant, its people, projects and work items, without time."""
    engine.create(database)
    url = engine.url(database)
    asyncio.run(migrate({**os.environ, "DATABASE_URL": url}))
    db_engine = make_engine(url)
    with db_engine.begin() as tx:
        tx.execute(tenants.insert(), rows.tenant())
        tx.execute(users.insert(), [rows.person(number) for number in range(rows.PEOPLE)])
        tx.execute(organizations.insert(), rows.organization())
        tx.execute(projects.insert(), [rows.project(number) for number in range(len(rows.PROJECTS))])
        tx.execute(work_items.insert(), list(rows.items()))
        tx.execute(work_item_readers.insert(), list(rows.readings()))
    db_engine.dispose()
    return Database(engine, database)


def create_filled(bench: Bench, engine: Engine, entries: int) -> Database:
    """Creates the database with so many entries."""
    target = create_empty(engine, f"entries_{entries}")
    step = f"filling {engine.name} with {entries:,} entries"
    fill(target.url, rows.COLUMNS, rows.batches(entries), lambda done: bench.progress(step, done))
    return target
