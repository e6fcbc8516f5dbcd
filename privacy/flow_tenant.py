"""Erases an organisation: its people, then row after row in short transactions; what its bills need stays."""

from functools import partial

from privacy import flow_person, service_tenant, store_identity, store_tenant
from privacy.store_requests import Request
from shared.app import App
from shared.jobs import transact


def erase(app: App, request: Request) -> bool:
    """False, and on hold, while it still pays or a month is not billed. Interrupted, the next run goes on."""
    tenant_id = request.tenant_id
    close = partial(service_tenant.close, request=request, now=app.now(), new_id=app.new_id)
    if not transact(app, tenant_id, close):
        return False
    for name in store_tenant.GOING:
        while transact(app, tenant_id, partial(store_tenant.remove_some, name=name, tenant_id=tenant_id)):
            pass
    app.action_log.forget(tenant_id)
    after = 0
    while (user_id := _next_person(app, tenant_id, after)) is not None:
        flow_person.erase(app, tenant_id, user_id)
        after = user_id
    transact(app, tenant_id, partial(service_tenant.finish, request=request, now=app.now()))
    return True


def _next_person(app: App, tenant_id: int, after: int) -> int | None:
    return transact(app, tenant_id, lambda tx: store_identity.next_person(tx, tenant_id, after=after), reads_only=True)
