"""The timer-triggered function that compares every purchase with what Microsoft has."""

import azure.functions as func

from shared.app import App, current
from shared.jobs import JobFailed
from webhooks.flow_reconcile import Report, reconcile, tell


blueprint = func.Blueprint()
_NAME = "reconcile_subscriptions"
_DAILY = "0 40 3 * * *"  # NCRONTAB, UTC: when few people change a subscription


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(arg_name="timer", schedule=_DAILY, run_on_startup=False, use_monitor=True)
def reconcile_subscriptions(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the work owed is found in the data
    reconcile_all(current())


def reconcile_all(app: App) -> Report:
    """What was found; nothing where the Marketplace is off.

    Raises:
        JobFailed: some purchases could not be compared; the others were.
    """
    if app.marketplace is None:
        return Report()
    report = reconcile(app, app.marketplace)
    tell(report)
    if not report.is_whole:
        bad = len(report.failed) + len(report.unreadable)
        raise JobFailed(f"{_NAME}: {bad} of {report.compared} purchases could not be compared")
    return report
