"""The timer-triggered functions of retention and of erasure."""

from typing import Final

import azure.functions as func
import sqlalchemy as sa

from privacy import flow_erasure, service, store
from shared.app import App, current
from shared.db.wall import EVERY_TENANT
from shared.jobs import Outcome, each_tenant, transact
from shared.restore.flow import outward


blueprint = func.Blueprint()
_RETENTION: Final = "remove_expired"


@blueprint.function_name(_RETENTION)
@blueprint.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def remove_expired(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the work owed is found in the data
    app = current()
    outward(app, _RETENTION, lambda: _remove(app), held=None)


def _remove(app: App) -> None:
    now = app.now()

    def of_tenant(tx: sa.Connection, tenant_id: int) -> int:
        return service.remove_some(tx, tenant_id, now=now)

    def visits(tx: sa.Connection, _everybody: int) -> int:
        return service.forget_visits(tx, now=now)

    try:
        tenant_ids = transact(app, EVERY_TENANT, store.tenant_ids, reads_only=True)
        each_tenant(app, _RETENTION, tenant_ids, of_tenant, batches=True)
    finally:  # the one must not keep the other from its turn
        each_tenant(app, "forget_visits", [EVERY_TENANT], visits, batches=True)


@blueprint.function_name(flow_erasure.NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def carry_out_erasures(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the work owed is found in the data
    app = current()
    nothing = Outcome(0, 0, 0)
    outward(app, flow_erasure.NAME, lambda: flow_erasure.carry_out_due(app), held=nothing)
