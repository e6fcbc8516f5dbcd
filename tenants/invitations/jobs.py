"""The timer-triggered function that ends invitations which nobody claimed in time."""

import azure.functions as func
import sqlalchemy as sa

from shared.app import App, current
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import Outcome, for_each_tenant, transact
from shared.tenancy.store import lock_tenant
from tenants.invitations.service import end_lapsed
from tenants.invitations.store import tenants_with_lapsed
from timers.entries import move_left_behind, tenants_with_left_behind


blueprint = func.Blueprint()
_NAME = "end_invitations"


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%TRIAL_EXPIRY_SCHEDULE%", run_on_startup=False, use_monitor=True)
def end_invitations(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the work owed is found in the data
    end_all_invitations(current())


def end_all_invitations(app: App) -> Outcome:
    """Ends every invitation whose time is over, and moves time that a merged one was given in its last moment.

    Raises:
        JobFailed: some tenants failed; the others had their turn.
    """
    now = app.now()

    def work(tx: sa.Connection, tenant_id: int) -> int:
        moved = move_left_behind(tx, tenant_id, now=now)
        lock_tenant(tx, tenant_id)
        return moved + end_lapsed(tx, tenant_id, now=now, new_id=app.new_id)

    def owed(tx: sa.Connection) -> list[int]:
        return sorted({*tenants_with_lapsed(tx, now=now), *tenants_with_left_behind(tx)})

    return for_each_tenant(app, _NAME, transact(app, ALL_TENANTS, owed, reads_only=True), work)
