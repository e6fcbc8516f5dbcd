"""A short chaos run; tests/tools/chaos tests the checks."""

from typing import Final

import pytest

from tools.chaos.run import ChaosOptions, ChaosResult, run


SECONDS: Final = (5.0, 30.0, 90.0)  # a slow machine needs longer for all kinds of rows
CHECKED: Final = ("purchases", "required bill lines", "changes of Completed Work")


def has_everything(result: ChaosResult) -> bool:
    return len(result.injections) >= 2 and acknowledged(result) > 50 and all(result.checked[each] for each in CHECKED)


def acknowledged(result: ChaosResult) -> int:
    return sum(each.outcome == "acknowledged" for history in result.histories for each in history.operations)


@pytest.mark.timeout(300)
def test_responses_equal_stored_data_after_faults_on_sqlite(tmp_path):
    for seconds in SECONDS:
        options = ChaosOptions("sqlite", 20, seconds, workers=2, tenants=2, people=3, buyers=1, folder=tmp_path)
        result = run(options, lambda *_: None)

        assert result.violations == []
        if has_everything(result):
            return
    pytest.fail(f"the run was no test: {len(result.injections)} faults, {result.checked}")
