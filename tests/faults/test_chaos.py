"""A short run of faults under load; that its checks see harm is for tests/tools/chaos."""

from typing import Final

import pytest

from tools.chaos.run import Options, Result, run


SECONDS: Final = (8.0, 30.0, 90.0)  # a slow machine needs longer until there is something of everything
CHECKED: Final = ("purchases", "lines that their bills must have", "changes of Completed Work")


def has_everything(result: Result) -> bool:
    return len(result.injections) >= 2 and acknowledged(result) > 50 and all(result.checked[each] for each in CHECKED)


def acknowledged(result: Result) -> int:
    return sum(each.outcome == "acknowledged" for history in result.histories for each in history.operations)


@pytest.mark.timeout(300)
def test_what_people_were_told_is_what_is_kept_whatever_broke_meanwhile_on_sqlite(tmp_path):
    for seconds in SECONDS:
        options = Options("sqlite", 20, seconds, workers=2, tenants=2, people=3, buyers=1, folder=tmp_path)
        result = run(options, lambda *_: None)

        assert result.violations == []
        if has_everything(result):
            return
    pytest.fail(f"the run was no test: {len(result.injections)} faults, {result.checked}")
