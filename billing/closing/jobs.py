"""The timer-triggered function that closes the months that have ended."""

import azure.functions as func
import sqlalchemy as sa

from billing.closing import service
from billing.closing.service import Closing
from shared.app import App, current
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import for_each_tenant, job_work, transact
from shared.restore.flow import run_unless_held


blueprint = func.Blueprint()
_NAME = "close_months"
_WORKERS = 2  # one prepares its statements while the other waits for the database


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%MONTH_CLOSE_SCHEDULE%", run_on_startup=False, use_monitor=True)
def close_months(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the data
    close_all_ended(current())


def close_all_ended(app: App) -> int:
    """Closes every month that has ended and has no record, each tenant in its own transaction; how many records.

    Each run logs the bills that have no price.

    Raises:
        JobFailed: some tenants failed; the others had their turn.
    """
    return run_unless_held(app, _NAME, lambda: _close(app), held=0)


def _close(app: App) -> int:
    now = app.now()
    closing = Closing(app.settings.marketplace_metering_dimension)

    def close(tx: sa.Connection, tenant_id: int) -> int:
        return len(service.close_tenant(job_work(app, tx, tenant_id, now, locks_tenant=True), closing))

    tenant_ids = transact(app, ALL_TENANTS, lambda tx: service.due_tenants(tx, now), reads_only=True)
    try:
        return for_each_tenant(app, _NAME, tenant_ids, close, workers=_WORKERS).changed
    finally:
        transact(app, ALL_TENANTS, service.log_bills_without_price, reads_only=True)
