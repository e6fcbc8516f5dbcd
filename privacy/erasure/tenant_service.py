"""The beginning and the end of an organisation's erasure; what lies between is rows that go."""

import datetime as dt

import sqlalchemy as sa

from privacy import person_store
from privacy.erasure import service as erasure_service
from privacy.erasure import tenant_store
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.service import NewId
from privacy.requests.store import Request
from privacy.rules import Hold
from shared.db.records import open_records
from shared.tenancy.store import lock_tenant
from shared.work import SERVICE


def close(tx: sa.Connection, request: Request, *, now: dt.datetime, new_id: NewId) -> bool:
    """Closes every account and lets nobody in; False, and on hold, while money is open."""
    tenant_id = request.tenant_id
    lock_tenant(tx, tenant_id)
    reason = _reason(tx, tenant_id)
    if reason is not None:
        requests_service.hold(tx, request, reason, actor=SERVICE, now=now, new_id=new_id)
        return False
    tenant_store.close(tx, tenant_id, now=now)
    after = 0
    while (user_id := person_store.next_person(tx, tenant_id, after=after)) is not None:
        erasure_service.close(tx, person_store.by_row(tx, tenant_id, user_id), now=now, new_id=new_id)
        after = user_id
    return True


def remove_some(tx: sa.Connection, *, name: str, tenant_id: int) -> int:
    """Removes a batch of a table's rows; how many."""
    with open_records(tx):
        return tenant_store.remove_some(tx, name=name, tenant_id=tenant_id)


def finish(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> None:
    """Puts the organisation on the list of those who are erased."""
    requests_store.list_erased(tx, tenant_id, tenant_store.public_id(tx, tenant_id), now=now)


def _reason(tx: sa.Connection, tenant_id: int) -> Hold | None:
    if tenant_store.is_live(tx, tenant_id):
        return Hold.LIVE_SUBSCRIPTION
    return Hold.UNBILLED_TIME if tenant_store.is_unbilled(tx, tenant_id) else None
