"""The beginning and the end of an organisation's erasure; what lies between is rows that go."""

import datetime as dt

import sqlalchemy as sa

from privacy import person_store as store_identity
from privacy.erasure import service as service_erasure
from privacy.erasure import tenant_store as store_tenant
from privacy.requests import service as service_requests
from privacy.requests import store as store_requests
from privacy.requests.service import NewId
from privacy.requests.store import Request
from privacy.rules import Hold
from shared import audit
from shared.db.records import records_open
from shared.tenancy.store import hold_tenant


def close(tx: sa.Connection, request: Request, *, now: dt.datetime, new_id: NewId) -> bool:
    """Closes every account and lets nobody in; False, and on hold, while money is open."""
    tenant_id = request.tenant_id
    hold_tenant(tx, tenant_id)
    reason = _reason(tx, tenant_id)
    if reason is not None:
        service_requests.hold(tx, request, reason, actor=audit.SERVICE, now=now, new_id=new_id)
        return False
    store_tenant.close(tx, tenant_id, now=now)
    after = 0
    while (user_id := store_identity.next_person(tx, tenant_id, after=after)) is not None:
        service_erasure.close(tx, store_identity.by_row(tx, tenant_id, user_id), now=now, new_id=new_id)
        after = user_id
    return True


def remove_some(tx: sa.Connection, *, name: str, tenant_id: int) -> int:
    """Removes a batch of a table's rows; how many."""
    with records_open(tx):
        return store_tenant.remove_some(tx, name=name, tenant_id=tenant_id)


def finish(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> None:
    """Puts the organisation on the list of those who are erased."""
    store_requests.list_erased(tx, tenant_id, store_tenant.public_id(tx, tenant_id), now=now)


def _reason(tx: sa.Connection, tenant_id: int) -> Hold | None:
    if store_tenant.is_live(tx, tenant_id):
        return Hold.LIVE_SUBSCRIPTION
    return Hold.UNBILLED_TIME if store_tenant.is_unbilled(tx, tenant_id) else None
