"""The bench of bills closes every month, and says so when one was not closed, or a preview is wrong."""

import pytest
import sqlalchemy as sa

from devcloud.bench import closing, rows_paid
from devcloud.bench.directory import directory
from devcloud.bench.engines import Sqlite
from devcloud.bench.measure import LoadFailed
from devcloud.bench.setting import Bench
from shared.db.schema import tenants


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    with directory() as issuing:
        yield Bench(issuing, folder, [Sqlite(folder)], 1, 0.2, lambda _step, _done: None)


def test_every_tenant_is_closed_once_with_a_line_for_each_person(bench):
    few, many = closing.run(bench, entries=2_000)

    assert (few.tenants, many.tenants) == (2, 20)
    assert (many.closed.bills, many.closed.lines) == (20, 20 * rows_paid.USERS)
    assert many.closed.seconds > many.closed.idle_seconds > 0
    assert many.preview[0].answers > 0
    assert bench.engines[0].names() == []


def test_a_bill_that_is_missing_is_found_out(bench, monkeypatch):
    close = closing.close

    def one_is_the_vendors(url, now):
        engine = sa.create_engine(url)
        with engine.begin() as tx:
            tx.execute(tenants.update().where(tenants.c.id == 2).values(plan_kind="internal"))
        engine.dispose()
        return close(url, now)

    monkeypatch.setattr(closing, "_in_a_process_of_its_own", one_is_the_vendors)

    with pytest.raises(LoadFailed, match="1 bills with 20 lines for 2 tenants"):
        closing.run(bench, entries=2_000)
