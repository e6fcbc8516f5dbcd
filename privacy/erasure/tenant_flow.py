"""Erases an organization: rows in short transactions, then its people; the data of its bills stays."""

from functools import partial

from privacy import person_store
from privacy.erasure import person_flow, tenant_service, tenant_store
from shared.app import App
from shared.jobs import transact
from tenants.actions import log as action_log


def erase(app: App, tenant_id: int) -> None:
    """Erases a closed organization. After an interruption the next run continues."""
    for name in tenant_store.REMOVALS:
        while transact(app, tenant_id, partial(tenant_service.remove_batch, name=name, tenant_id=tenant_id)):
            pass
    action_log.of(app).delete(tenant_id)
    after = 0
    while (user_id := _next_person(app, tenant_id, after)) is not None:
        person_flow.erase(app, tenant_id, user_id)
        after = user_id
    transact(app, tenant_id, partial(tenant_service.finish, tenant_id=tenant_id, now=app.now()))


def _next_person(app: App, tenant_id: int, after: int) -> int | None:
    return transact(app, tenant_id, lambda tx: person_store.find_next_id(tx, tenant_id, after=after), reads_only=True)
