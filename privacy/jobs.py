"""The timer-triggered functions of retention and erasure."""

from functools import partial
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from privacy.erasure import flow as erasure_flow
from privacy.retention import service, store
from privacy.retention.rules import RetentionClass
from shared.app import App, current
from shared.db.row_level_security import ALL_TENANTS
from shared.jobs import JobFailed, Outcome, TenantWork, for_each_tenant, transact
from shared.restore.flow import run_unless_held


blueprint = func.Blueprint()
_RETENTION: Final = "remove_expired"


@blueprint.function_name(_RETENTION)
@blueprint.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def remove_expired(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the data
    app = current()
    run_unless_held(app, _RETENTION, lambda: _remove(app), held=None)


def _remove(app: App) -> None:
    """Removes each class of each tenant on its own, so one failure does not affect the others.

    Raises:
        JobFailed: at the end, with the failed classes.
    """
    now, failures = app.now(), list[str]()

    def remove_visits(tx: sa.Connection, tenant_id: int) -> int:  # noqa: ARG001 - visits belong to no tenant
        return service.remove_visits(tx, now=now)

    def remove_class(tx: sa.Connection, tenant_id: int, *, data_class: RetentionClass) -> int:
        return service.remove_batch(tx, tenant_id, data_class, now=now)

    def run(name: str, tenant_ids: list[int], work: TenantWork) -> None:
        try:
            for_each_tenant(app, name, tenant_ids, work, batches=True)
        except JobFailed as error:
            failures.append(str(error))

    run(f"{_RETENTION}_visits", [ALL_TENANTS], remove_visits)
    tenant_ids = list(transact(app, ALL_TENANTS, store.tenant_slugs, reads_only=True))
    for data_class in RetentionClass:
        run(f"{_RETENTION}_{data_class}", tenant_ids, partial(remove_class, data_class=data_class))
    if failures:
        raise JobFailed("; ".join(failures))


@blueprint.function_name(erasure_flow.NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def carry_out_erasures(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the data
    app = current()
    run_unless_held(app, erasure_flow.NAME, lambda: erasure_flow.execute_due(app), held=Outcome())
