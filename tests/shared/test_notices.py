"""Notices have people as rows and only listed fields, never a name."""

import pytest

from shared.notices import NoticeKind, record
from tests.support.paying_tenants import PayingTenant, at


def test_a_detail_that_is_not_listed_is_refused(engine):
    payer = PayingTenant.create(engine)
    with engine.begin() as tx, pytest.raises(ValueError, match="name"):
        record(payer.work(tx, at("2026-11-30")), NoticeKind.SUPER_ADMIN_ADDED, details={"name": "Ada"})
