"""Asks for an entry's hours to be written back, also where nobody asked at the time."""

import datetime as dt

import sqlalchemy as sa

from shared.errors import Conflict
from shared.tenancy.model import Tenant
from shared.tracking import store_write_backs
from shared.tracking.model import TimeEntry


def owe(tx: sa.Connection, tenant: Tenant, entry: TimeEntry, *, now: dt.datetime) -> None:
    """Sees to it that the entry owes its time; one that owes or owed already does not owe more.

    Raises:
        Conflict: the tenant has the write-back off.
    """
    if not tenant.write_back:
        raise Conflict(
            "Your organisation does not write hours back to Azure DevOps. A super admin can turn it on.",
            code="write_back_off",
        )
    if entry.elapsed_ms and not store_write_backs.owed(tx, tenant.id, entry.id):
        store_write_backs.owe_all(tx, tenant.id, entry, now=now)
