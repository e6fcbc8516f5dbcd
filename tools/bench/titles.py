"""A month of very many entries by work item, with the titles that its reader may see beside the same without titles.

`python -m tools.bench.titles --entries 1000000` fills a table of its own on each engine and prints the ratios.
"""

import datetime as dt
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import sqlalchemy as sa
import typer
from rich.console import Console

from devcloud import postgres
from reports import sum_store as store_sums
from reports.rules import Group, Span
from reports.store import Asked, filters_of, parameters
from shared.db.engine import make_engine
from shared.db.schema import work_item_readers, work_items
from tools.bench.data import database as ground
from tools.bench.data import rows
from tools.bench.data.engines import Engine, Postgres, Sqlite
from tools.bench.data.rows import Batch
from tools.bench.load.rounds import ratio
from tools.bench.report.tables import Table, spread


ITEMS: Final = 10_000
MONTH: Final = "2026-06"
_BATCH: Final = 50_000
_GROUPS: Final = (Group.WORK_ITEM,)
_EXPLAIN: Final = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}


@dataclass(frozen=True, slots=True)
class Case:
    """Seconds of each round, in which both took turns; of SQLite those of the processor."""

    engine: str
    entries: int
    items: int
    shown: int
    titles: list[float]
    without: list[float]


class NotComparable(Exception):
    """The report without titles asks for them all the same, or adds up to something else."""


def batches(entries: int, items: int) -> Iterator[Batch]:
    """All entries of the bench, moved to the days of one month and spread over so many items."""
    coming = enumerate(rows.rows(entries))
    while some := list(itertools.islice(coming, _BATCH)):
        moved = []
        for number, (entry, day) in some:
            date, item = f"{MONTH}-{1 + number % 30:02}", 1 + number * 7919 % items
            moved.append(((*entry[:5], item, *entry[6:]), (*day[:2], date, 202606, *day[4:6], item, *day[7:])))
        yield (some[-1][0] + 1) / entries, list(zip(*moved, strict=True))


def run(engine: Engine, *, entries: int, items: int = ITEMS, rounds: int = 7) -> Case:
    """Raises NotComparable."""
    name = f"titles_{entries}"
    on = ground.empty(engine, name)
    connected = make_engine(on.url)
    with connected.begin() as tx:
        tx.execute(work_item_readers.delete())
        tx.execute(work_items.delete())
        tx.execute(work_items.insert(), [_item(number) for number in range(1, items + 1)])
        tx.execute(work_item_readers.insert(), [_reading(number) for number in range(1, items + 1)])
    engine.fill(name, rows.COLUMNS, batches(entries, items), lambda _: None)
    try:
        with connected.connect() as tx:
            return _measured(tx, engine.name, entries, rounds)
    finally:
        connected.dispose()
        engine.drop(name)


def _measured(tx: sa.Connection, engine: str, entries: int, rounds: int) -> Case:
    span = Span.month(MONTH)
    asked = Asked(tenant_id=1, viewer_id=1, span=span, read_since=span.last)
    whole = store_sums.statement(_GROUPS, filters_of(asked), one_month=True)
    texts = {"type", "title", "assignee_name", "state"}
    bare = whole.with_only_columns(
        *(column for column in whole.selected_columns if column.name not in texts), maintain_column_froms=True
    )
    values = {**parameters(asked), "most": store_sums.EVERY_ROW}
    _require_no_titles(tx, bare, values)
    with_titles, without = [tx.execute(each, values).all() for each in (whole, bare)]
    if [row.elapsed_ms for row in with_titles] != [row.elapsed_ms for row in without]:
        raise NotComparable("the two reports do not add up to the same")
    # SQLite works in this process, so that the processor's time says it whatever else the machine does.
    clock = time.thread_time if tx.dialect.name == "sqlite" else time.perf_counter
    case = Case(engine, entries, len(with_titles) - 30, sum(row.title is not None for row in with_titles), [], [])
    for _ in range(rounds):
        for each, kept in ((whole, case.titles), (bare, case.without)):
            began = clock()
            tx.execute(each, values).all()
            kept.append(clock() - began)
    return case


def _require_no_titles(tx: sa.Connection, statement: sa.Select[Any], values: dict[str, Any]) -> None:
    """An outer join of which nothing is selected is left out by the database; the plan must say so."""
    text = str(statement.params(values).compile(tx.engine, compile_kwargs={"literal_binds": True}))
    plan = "\n".join(str(row) for row in tx.exec_driver_sql(_EXPLAIN[tx.dialect.name] + text))
    if "work_item_readers" in plan or "work_items" in plan:
        raise NotComparable(f"the report without titles asks for them all the same:\n{plan}")


def _item(number: int) -> dict[str, Any]:
    about = {"type": "Task", "title": f"What is to be done about the matter of number {number}", "state": "Active"}
    of = {"tenant_id": 1, "organization_id": 1, "organization_key": "contoso", "work_item_id": number}
    return {**of, **about, "assignee_name": "Person 1", "fetched_at": dt.datetime(2026, 6, 1, tzinfo=dt.UTC)}


def _reading(number: int) -> dict[str, Any]:
    return {"tenant_id": 1, "user_id": 1, "organization_id": 1, "work_item_id": number, "read_on": dt.date.max}


def table(cases: Sequence[Case]) -> Table:
    head = ("engine", "entries", "items", "titles", "with ms", "without ms", "with over without")
    lines = [
        [
            *(each.engine, f"{each.entries:,}", f"{each.items:,}", f"{each.shown:,}"),
            *(f"{statistics.median(seconds) * 1000:.1f}" for seconds in (each.titles, each.without)),
            spread(ratio(each.titles, each.without)),
        ]
        for each in cases
    ]
    return Table("The month's report by work item, with and without titles", head, lines)


def main(
    entries: Annotated[int, typer.Option(min=1_000)] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1)] = 7,
) -> None:
    """Measures a month of so many entries over 10,000 work items, on SQLite and PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, postgres.server() as url:
        engines: list[Engine] = [Sqlite(Path(folder)), Postgres(url)]
        table([run(each, entries=entries, rounds=rounds) for each in engines]).show(Console(width=120))


if __name__ == "__main__":
    typer.run(main)
