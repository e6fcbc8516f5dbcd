"""The timer-triggered functions of retention and of erasure."""

import azure.functions as func
import sqlalchemy as sa

from privacy import flow_erasure, service, store
from shared.app import current
from shared.db.wall import EVERY_TENANT
from shared.jobs import each_tenant, transact


blueprint = func.Blueprint()


@blueprint.function_name("remove_expired")
@blueprint.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def remove_expired(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the work owed is found in the data
    app = current()
    now = app.now()

    def work(tx: sa.Connection, tenant_id: int) -> int:
        return service.remove_expired(tx, tenant_id, now=now)

    transact(app, EVERY_TENANT, lambda tx: service.forget_visits(tx, now=now))
    tenant_ids = transact(app, EVERY_TENANT, store.tenant_ids, reads_only=True)
    each_tenant(app, "remove_expired", tenant_ids, work)


@blueprint.function_name(flow_erasure.NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def carry_out_erasures(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the work owed is found in the data
    flow_erasure.carry_out_due(current())
