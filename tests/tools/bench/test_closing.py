"""The bench of bills closes every month beside a floor, and says so when one was not closed, or a preview is wrong."""

import re
from functools import partial

import pytest
import sqlalchemy as sa

from shared.db.schema import tenants, time_entry_days
from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data import paid_rows as rows_paid
from tools.bench.data.directory import directory
from tools.bench.data.engines import Postgres, Sqlite
from tools.bench.floors import closing as closing_floor
from tools.bench.load.rounds import LoadFailed
from tools.bench.parts import closing
from tools.bench.report.billing_tables import closing_table, preview_table


RATIO = r"\d+\.\d\d"
SPREAD = rf"{RATIO} \({RATIO} to {RATIO}\)"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def bench(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    sqlite = request.param == "sqlite"
    engine = Sqlite(folder) if sqlite else Postgres(request.getfixturevalue("postgres_server"))
    with directory() as issuing:
        yield Bench(issuing, folder, [engine], 2, 0.2, lambda _step, _done: None)


@pytest.fixture(scope="module")
def cases(bench):
    return closing.run(bench, entries=2_000)


def test_every_tenant_is_closed_once_in_each_round_with_a_line_for_each_person(bench, cases):
    few, many = cases

    assert [(each.tenants, len(each.closed), len(each.floor)) for each in cases] == [(2, 2, 2), (20, 1, 1)]
    for each in (*few.closed, *few.floor):
        assert (each.bills, each.lines) == (2, 2 * rows_paid.USERS)
    for each in (*many.closed, *many.floor):
        assert (each.bills, each.lines) == (20, 20 * rows_paid.USERS)
    assert many.seconds > many.closed[0].idle_seconds > 0
    assert [name for name in bench.engines[0].names() if name.startswith("closing")] == []


def test_the_floor_answers_the_preview_in_turn_with_ours(cases):
    for each in cases:
        assert [len(each.preview), len(each.floor_preview)] == [2, 2]
        assert all(one.answers > 0 for one in (*each.preview, *each.floor_preview))


def test_what_ran_in_rounds_stands_over_the_floor_with_its_spread_and_one_round_without(cases):
    few, many = (dict(zip(closing_table(cases).head, row, strict=True)) for row in closing_table(cases).rows)
    previews = [row[-1] for row in preview_table(cases).rows]

    assert (few["rounds"], many["rounds"]) == ("2", "1")
    assert re.fullmatch(SPREAD, few["over the floor"])
    assert re.fullmatch(RATIO, many["over the floor"])
    assert all(re.fullmatch(SPREAD, each) for each in previews)


def changed_before(work, statement, url, *given):
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        tx.execute(statement)
    engine.dispose()
    return work(url, *given)


OF_THE_SECOND = {
    "floor": (
        time_entry_days.delete().where(time_entry_days.c.tenant_id == 2),
        "the floor wrote 2 bills with 20 lines",
    ),
    "job": (
        tenants.update().where(tenants.c.id == 2).values(plan_kind="internal"),
        "the job wrote 1 bills with 20 lines",
    ),
}


@pytest.mark.parametrize("who", ["floor", "job"])
def test_a_bill_or_a_line_that_is_missing_fails_the_round(bench, monkeypatch, who):
    statement, told = OF_THE_SECOND[who]
    module, name = {"floor": (closing_floor, "write"), "job": (closing, "close")}[who]
    monkeypatch.setattr(module, name, partial(changed_before, getattr(module, name), statement))
    monkeypatch.setattr(closing, "_in_a_process_of_its_own", lambda work, *given: work(*given))
    monkeypatch.setattr(closing, "_previewed", lambda _bench, _on: ([], []))

    with pytest.raises(LoadFailed, match=f"{told} for 2 tenants"):
        closing.run(bench, entries=2_000)


def test_a_preview_that_counts_somebody_too_few_fails_the_round(bench, monkeypatch):
    monkeypatch.setattr(closing, "USERS", rows_paid.USERS + 1)

    with pytest.raises(LoadFailed, match="answers wrong or missing: read: 200"):
        closing.run(bench, entries=2_000)


def test_a_copy_is_made_anew_and_what_is_written_to_it_is_not_in_the_first(bench):
    [engine] = bench.engines
    first = ground.empty(engine, "first")
    seen = []
    for _ in range(2):  # the second one in the place of the first
        engine.copy("first", "second")
        seen.append(renamed(engine.url("second")))

    assert seen == [("contoso", "fabrikam")] * 2
    assert renamed(first.url) == ("contoso", "fabrikam")
    for each in ("first", "second"):
        engine.drop(each)


def renamed(url):
    """The tenant's name in the database before and after it is written there."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as tx:
        before = tx.execute(sa.select(tenants.c.slug)).scalar_one()
        tx.execute(tenants.update().values(slug="fabrikam"))
        return before, tx.execute(sa.select(tenants.c.slug)).scalar_one()
