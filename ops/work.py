"""The `Work` of an operator's command: one transaction of one tenant, in the operator's name."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ops.database import Database
from shared import clock
from shared.app import App
from shared.jobs import load_work
from shared.work import OPERATOR, Work


@contextmanager
def operator_work(database: App | Database, tenant_id: int, *, locks_tenant: bool = False) -> Iterator[Work]:
    """One transaction: leaving it commits, an exception undoes it.

    Raises:
        ServiceUnavailable: the database failed.
    """
    with database.transaction() as tx:
        yield work_in(tx, tenant_id, locks_tenant=locks_tenant)


def work_in(tx: sa.Connection, tenant_id: int, *, locks_tenant: bool) -> Work:
    """The `Work` in a transaction; a locked tenant stays as it is until the end of the transaction."""
    return load_work(tx, tenant_id, OPERATOR, now=clock.now, new_id=clock.new_id, locks_tenant=locks_tenant)
