"""The bench of titles compares two reports of the same time, one of which really asks for no title."""

import pytest

from reports import sum_store as store_sums
from reports.rules import Group
from tools.bench import titles
from tools.bench.data.engines import Postgres, Sqlite
from tools.bench.titles import NotComparable


def engine_of(kind, request, tmp_path):
    return Sqlite(tmp_path) if kind == "sqlite" else Postgres(request.getfixturevalue("postgres_server"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_both_reports_are_of_all_items_and_titles(request, tmp_path, kind):
    case = titles.run(engine_of(kind, request, tmp_path), entries=1_000, items=100, rounds=2)
    [line] = titles.table([case]).rows

    assert (case.entries, case.items, case.shown) == (1_000, 100, 100)
    assert len(case.titles) == len(case.without) == 2
    assert line[1:4] == ["1,000", "100", "100"]


def test_a_report_that_asks_for_titles_all_the_same_is_found_out(tmp_path, monkeypatch):
    whole = store_sums.statement((Group.WORK_ITEM,), frozenset(), one_month=True)
    monkeypatch.setattr(type(whole), "with_only_columns", lambda statement, *_, **__: statement)
    with pytest.raises(NotComparable):
        titles.run(Sqlite(tmp_path), entries=1_000, items=100, rounds=1)
