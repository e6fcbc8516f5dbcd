"""The first and the last step of an organization's erasure; rows are removed in between."""

import datetime as dt

import sqlalchemy as sa

from billing.closing import has_unbilled
from billing.subscriptions import has_open
from privacy import person_store
from privacy.erasure import service as erasure_service
from privacy.erasure import tenant_store
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Hold
from shared.db.records import open_records
from shared.work import Work


def close_tenant(work: Work, request: Request) -> bool:
    """Closes the organization and its accounts; False while a bill is pending, which puts the request on hold."""
    tx, tenant_id = work.tx, work.tenant.id
    reason = _hold_reason(tx, tenant_id)
    if reason is not None:
        requests_service.hold(work, request, reason)
        return False
    tenant_store.close(tx, tenant_id, now=work.now)
    after = 0
    while (user_id := person_store.find_next_id(tx, tenant_id, after=after)) is not None:
        erasure_service.close_account(work, person_store.read(tx, tenant_id, user_id))
        after = user_id
    return True


def remove_batch(tx: sa.Connection, *, name: str, tenant_id: int) -> int:
    """Removes a batch of a table's rows; returns their number."""
    with open_records(tx):
        return tenant_store.remove_batch(tx, name=name, tenant_id=tenant_id)


def finish(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> None:
    """Lists the organization as erased."""
    requests_store.add_erasure(tx, tenant_id, tenant_store.read_public_id(tx, tenant_id), now=now)


def _hold_reason(tx: sa.Connection, tenant_id: int) -> Hold | None:
    if has_open(tx, tenant_id):
        return Hold.LIVE_SUBSCRIPTION
    return Hold.UNBILLED_TIME if has_unbilled(tx, tenant_id) else None
