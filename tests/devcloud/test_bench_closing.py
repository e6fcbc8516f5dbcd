"""The bench of closing months closes all of them, and says so when it did not."""

import pytest

from devcloud.bench import closing


def test_every_tenant_is_closed_once_with_a_line_for_each_person(tmp_path):
    closed = closing.run(tmp_path, 12)

    assert (closed.tenants, closed.lines) == (12, 12 * closing.USERS)
    assert closed.seconds > closed.idle_seconds > 0


def test_a_bill_that_is_missing_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(closing, "close_all_owed", lambda _app: 0)

    with pytest.raises(AssertionError, match="0 bills with 0 lines for 3 tenants"):
        closing.run(tmp_path, 3)
