"""The timer-triggered function that expires ended trials."""

import azure.functions as func
import sqlalchemy as sa

from billing.trials import service as trials_service
from billing.trials import store as trials_store
from shared.app import App, current
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import Outcome, for_each_tenant, job_work, transact


blueprint = func.Blueprint()
_NAME = "end_trials"


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%TRIAL_EXPIRY_SCHEDULE%", run_on_startup=False, use_monitor=True)
def end_trials(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the data
    end_all_trials(current())


def end_all_trials(app: App) -> Outcome:
    """Expires every trial that has ended.

    Raises:
        JobFailed: some tenants failed; the others had their turn.
    """
    now = app.now()

    def expire(tx: sa.Connection, tenant_id: int) -> int:
        return trials_service.expire_trial(job_work(app, tx, tenant_id, now))

    tenant_ids = transact(app, ALL_TENANTS, lambda tx: trials_store.tenants_with_ended_trial(tx, now), reads_only=True)
    return for_each_tenant(app, _NAME, tenant_ids, expire)
