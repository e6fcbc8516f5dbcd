"""The `Work` of an operator's command: one transaction of one tenant, in the operator's name."""

from collections.abc import Iterator
from contextlib import contextmanager

from ops.database import Database
from shared import clock
from shared.app import App
from shared.tenancy.store import read_tenant
from shared.work import OPERATOR, Work


@contextmanager
def operator_work(database: App | Database, tenant_id: int) -> Iterator[Work]:
    """One transaction: leaving it commits, an exception undoes it.

    Raises:
        ServiceUnavailable: the database failed.
    """
    with database.transaction() as tx:
        yield Work(tx, read_tenant(tx, tenant_id), OPERATOR, clock.now(), clock.new_id)
