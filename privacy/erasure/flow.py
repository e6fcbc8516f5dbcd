"""Carries out the requests for erasure whose time has come: of a person here, of an organisation in tenant_flow."""

import uuid
from functools import partial
from typing import Final

import sqlalchemy as sa

from privacy.erasure import person_flow, tenant_flow, tenant_service
from privacy.erasure import service as erasure_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Scope
from shared.app import App
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import JobFailed, Outcome, transact
from shared.log import get_logger, where


NAME: Final = "carry_out_erasures"


def carry_out_due(app: App) -> Outcome:
    """Carries out every request whose time has come, each by itself.

    Raises:
        JobFailed: some failed; the others are done.
    """
    due = transact(app, ALL_TENANTS, lambda tx: requests_store.due(tx, app.now()), reads_only=True)
    done = failed = 0
    for tenant_id, public_id in due:
        try:
            done += carry_out(app, tenant_id, public_id)
        except Exception as error:  # noqa: BLE001 - one failure must not reach the others
            failed += 1
            get_logger().error("job_failed_for_tenant", function=NAME, **where(error))
    get_logger().info("job_done", function=NAME, count=done, failed=failed)
    if failed:
        raise JobFailed(f"{NAME}: {failed} of {len(due)} requests failed")
    return Outcome(len({tenant_id for tenant_id, _ in due}), done, failed)


def carry_out(app: App, tenant_id: int, public_id: uuid.UUID) -> bool:
    """Carries one request out; False when it is not its time, it is on hold, or another process was quicker.

    What is closed with the tenant held is erased: a hold that is set later comes too late, and one before is kept.
    """

    def begin(tx: sa.Connection) -> Request | None:
        request = erasure_service.begin(tx, tenant_id, public_id, now=app.now(), new_id=app.new_id)
        if request is None:
            return None
        close = tenant_service.close if request.scope is Scope.TENANT else erasure_service.close_account
        return request if close(tx, request, now=app.now(), new_id=app.new_id) else None

    request = transact(app, tenant_id, begin)
    if request is None:
        return False
    if request.subject_user_id is None:
        tenant_flow.erase(app, request.tenant_id)
    else:
        person_flow.erase(app, request.tenant_id, request.subject_user_id)
    return transact(app, tenant_id, partial(erasure_service.finish, request=request, now=app.now(), new_id=app.new_id))
