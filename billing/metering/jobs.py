"""The scheduled functions of usage reporting: sending pending events, and the daily reconciliation."""

from typing import Final

import azure.functions as func

from billing.metering import reconcile_flow
from billing.metering.flow import log_late_events, meter_of, send_due
from shared.app import App, current
from shared.jobs import JobFailed
from shared.log import get_logger
from shared.restore.flow import run_unless_held


blueprint = func.Blueprint()
_SEND: Final = "send_usage"
_RECONCILE: Final = "reconcile_usage"


@blueprint.function_name(_SEND)
@blueprint.timer_trigger(arg_name="timer", schedule="%USAGE_SCHEDULE%", run_on_startup=False, use_monitor=True)
def send_usage(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the data
    send_all(current())


@blueprint.function_name(_RECONCILE)
@blueprint.timer_trigger(arg_name="timer", schedule="0 20 4 * * *", run_on_startup=False, use_monitor=True)
def reconcile_usage(timer: func.TimerRequest) -> None:  # noqa: ARG001 - likewise
    found = reconcile_flow.reconcile(current())
    get_logger().info("job_done", function=_RECONCILE, count=len(found), failed=0)


def send_all(app: App) -> int:
    """Sends every due event; returns the number of accepted ones.

    Raises:
        JobFailed: some batches, or tenants of a batch, failed; the others are done.
    """
    if meter_of(app) is None:
        return 0
    return run_unless_held(app, _SEND, lambda: _send(app), held=0)


def _send(app: App) -> int:
    sent = send_due(app)
    log_late_events(app)
    get_logger().info("job_done", function=_SEND, count=sent.accepted, failed=sent.failed)
    if sent.failed:
        raise JobFailed(f"{_SEND}: {sent.failed} batches or tenants failed")
    return sent.accepted
