"""Executes due erasure requests, each on its own."""

import uuid
from typing import Final

import sqlalchemy as sa

from privacy.erasure import person_flow, tenant_flow, tenant_service
from privacy.erasure import service as erasure_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Scope
from shared.app import App
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import JobFailed, Outcome, job_work, transact
from shared.log import exception_fields, get_logger


NAME: Final = "carry_out_erasures"


def execute_due(app: App) -> Outcome:
    """Executes every due request.

    Raises:
        JobFailed: some failed; the others are done.
    """
    due = transact(app, ALL_TENANTS, lambda tx: requests_store.list_due(tx, app.now()), reads_only=True)
    done = failed = 0
    for tenant_id, public_id in due:
        try:
            done += execute(app, tenant_id, public_id)
        except Exception as error:  # noqa: BLE001 - one failure must not reach the others
            failed += 1
            get_logger().error("job_failed_for_tenant", function=NAME, **exception_fields(error))
    get_logger().info("job_done", function=NAME, count=done, failed=failed)
    if failed:
        raise JobFailed(f"{NAME}: {failed} of {len(due)} requests failed")
    return Outcome(len({tenant_id for tenant_id, _ in due}), done, failed)


def execute(app: App, tenant_id: int, public_id: uuid.UUID) -> bool:
    """Executes one request; False if it is not due, is on hold, or another process was faster.

    Once the account or the organization is closed, with the tenant locked, the erasure continues: a later hold is
    too late.
    """

    def begin(tx: sa.Connection) -> Request | None:
        work = job_work(app, tx, tenant_id, locks_tenant=True)
        request = erasure_service.begin(work, public_id)
        if request is None:
            return None
        close = tenant_service.close_tenant if request.scope is Scope.TENANT else erasure_service.close_account_of
        return request if close(work, request) else None

    request = transact(app, tenant_id, begin)
    if request is None:
        return False
    if request.subject_user_id is None:
        tenant_flow.erase(app, request.tenant_id)
    else:
        person_flow.erase(app, request.tenant_id, request.subject_user_id)

    def finish(tx: sa.Connection) -> bool:
        return erasure_service.finish(job_work(app, tx, tenant_id, app.now()), request)

    return transact(app, tenant_id, finish)
