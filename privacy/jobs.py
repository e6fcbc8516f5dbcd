"""The timer-triggered functions of retention and of erasure."""

from functools import partial
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from privacy.erasure import flow as erasure_flow
from privacy.retention import service, store
from privacy.retention.rules import Kept
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
    """Each class of each tenant has its own turn, and what fails keeps nothing else from it.

    Raises:
        JobFailed: in the end, when any failed; it says of which classes.
    """
    now, failed = app.now(), list[str]()

    def visits(tx: sa.Connection, tenant_id: int) -> int:  # noqa: ARG001 - visits belong to no tenant
        return service.forget_visits(tx, now=now)

    def of_class(tx: sa.Connection, tenant_id: int, *, kept: Kept) -> int:
        return service.remove_some(tx, tenant_id, kept, now=now)

    def turns(name: str, tenant_ids: list[int], work: TenantWork) -> None:
        try:
            for_each_tenant(app, name, tenant_ids, work, batches=True)
        except JobFailed as error:
            failed.append(str(error))

    turns("forget_visits", [ALL_TENANTS], visits)
    tenant_ids = list(transact(app, ALL_TENANTS, store.tenant_slugs, reads_only=True))
    for kept in Kept:
        turns(f"{_RETENTION}_{kept}", tenant_ids, partial(of_class, kept=kept))
    if failed:
        raise JobFailed("; ".join(failed))


@blueprint.function_name(erasure_flow.NAME)
@blueprint.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def carry_out_erasures(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the data
    app = current()
    nothing = Outcome()
    run_unless_held(app, erasure_flow.NAME, lambda: erasure_flow.carry_out_due(app), held=nothing)
