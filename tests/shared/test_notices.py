"""Notices keep who and what by row and by listed field, never a name."""

import datetime as dt
import uuid

import pytest

from shared.notices import NoticeKind, record_row


def test_a_detail_that_is_not_listed_is_refused(engine):
    now = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
    with engine.begin() as tx, pytest.raises(ValueError, match="name"):
        record_row(tx, 1, NoticeKind.SUPER_ADMIN_ADDED, now, row_id=uuid.uuid4(), details={"name": "Ada"})  # noqa: TID251
