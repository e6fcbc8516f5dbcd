"""Erases an organisation: its people, then row after row in short transactions; what its bills need stays."""

from functools import partial

import sqlalchemy as sa

from privacy import flow_person, service_tenant, store_identity, store_tenant
from privacy.flow_person import insist
from shared.app import App


def erase(app: App, tenant_id: int) -> None:
    """Erases an organisation that is closed. Interrupted, the next run goes on."""
    for name in store_tenant.GOING:
        while insist(app, partial(store_tenant.remove_some, name=name, tenant_id=tenant_id)):
            pass
    app.action_log.forget(tenant_id)
    after = 0
    while (user_id := _next_person(app, tenant_id, after)) is not None:
        flow_person.erase(app, tenant_id, user_id)
        after = user_id
    insist(app, partial(service_tenant.finish, tenant_id=tenant_id, now=app.now()))


def _next_person(app: App, tenant_id: int, after: int) -> int | None:
    with app.transaction(reads_only=True) as tx:
        return _after(tx, tenant_id, after)


def _after(tx: sa.Connection, tenant_id: int, after: int) -> int | None:
    return store_identity.next_person(tx, tenant_id, after=after)
