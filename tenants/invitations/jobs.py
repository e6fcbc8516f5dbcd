"""The timer-triggered function that ends expired invitations."""

import azure.functions as func
import sqlalchemy as sa

from shared.app import App, current
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import Outcome, for_each_tenant, job_work, transact
from tenants.invitations.service import end_expired
from tenants.invitations.store import tenants_with_expired
from timers.entries import move_left_behind, tenants_with_left_behind


blueprint = func.Blueprint()
_NAME = "end_invitations"


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%TRIAL_EXPIRY_SCHEDULE%", run_on_startup=False, use_monitor=True)
def end_invitations(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the database
    end_all_invitations(current())


def end_all_invitations(app: App) -> Outcome:
    """Ends expired invitations, and moves entries that were added to an invitation while it was merged.

    Raises:
        JobFailed: some tenants failed; the others are done.
    """
    now = app.now()

    def process(tx: sa.Connection, tenant_id: int) -> int:
        work = job_work(app, tx, tenant_id, now, locks_tenant=True)
        return move_left_behind(work) + end_expired(work)

    def pending(tx: sa.Connection) -> list[int]:
        return sorted({*tenants_with_expired(tx, now=now), *tenants_with_left_behind(tx)})

    return for_each_tenant(app, _NAME, transact(app, ALL_TENANTS, pending, reads_only=True), process)
