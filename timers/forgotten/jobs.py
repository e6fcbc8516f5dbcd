"""The timer-triggered function that stops forgotten timers."""

import datetime as dt

import azure.functions as func
import sqlalchemy as sa

from shared.app import App, current
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import for_each_tenant, job_work, transact
from shared.restore.flow import run_unless_held
from timers.forgotten import service as forgotten_service
from timers.forgotten import store as forgotten_store


blueprint = func.Blueprint()
_NAME = "stop_forgotten_timers"


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(
    arg_name="timer", schedule="%FORGOTTEN_TIMER_SCHEDULE%", run_on_startup=False, use_monitor=True
)
def stop_forgotten_timers(timer: func.TimerRequest) -> None:  # noqa: ARG001 - overdue timers are found in the data
    stop_all_forgotten(current())


def stop_all_forgotten(app: App) -> int:
    """Stops every timer that exceeds its tenant's limit, in transactions of bounded size; returns their number.

    Raises:
        JobFailed: some tenants failed; the others are done.
    """
    return run_unless_held(app, _NAME, lambda: _stop(app), held=0, allow_unchecked=True)  # a stop can be corrected


def _stop(app: App) -> int:
    now, stopped = app.now(), 0

    def stop(tx: sa.Connection, tenant_id: int) -> int:
        return forgotten_service.stop_forgotten(job_work(app, tx, tenant_id, now))

    while tenant_ids := _tenants_with_overdue(app, now):
        outcome = for_each_tenant(app, _NAME, tenant_ids, stop)
        stopped += outcome.changed
        if outcome.changed == 0:  # another instance has stopped them
            break
    return stopped


def _tenants_with_overdue(app: App, now: dt.datetime) -> list[int]:
    return transact(app, ALL_TENANTS, lambda tx: forgotten_store.tenants_with_overdue(tx, now), reads_only=True)
