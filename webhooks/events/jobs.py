"""The timer-triggered function that compares every purchase with what Microsoft has."""

from typing import TYPE_CHECKING

import azure.functions as func

from billing import marketplace
from shared.app import App, current
from shared.jobs import JobFailed
from shared.restore.flow import run_unless_held
from webhooks.events.reconcile_flow import Report, reconcile, tell


if TYPE_CHECKING:
    from billing.marketplace import Marketplace


blueprint = func.Blueprint()
_NAME = "reconcile_subscriptions"
_DAILY = "0 40 3 * * *"  # NCRONTAB, UTC: when few people change a subscription


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(arg_name="timer", schedule=_DAILY, run_on_startup=False, use_monitor=True)
def reconcile_subscriptions(timer: func.TimerRequest) -> None:  # noqa: ARG001 - pending work is found in the data
    reconcile_all(current())


def reconcile_all(app: App) -> Report:
    """What was found; nothing where the Marketplace is off.

    Raises:
        JobFailed: some purchases could not be compared; the others were.
    """
    client = marketplace.of(app)
    if client is None:
        return Report()
    return run_unless_held(app, _NAME, lambda: _reconcile(app, client), held=Report())  # it may close a final bill


def _reconcile(app: App, client: "Marketplace") -> Report:
    report = reconcile(app, client)
    tell(report)
    if not report.is_whole:
        bad = len(report.failed) + len(report.unreadable)
        raise JobFailed(f"{_NAME}: {bad} of {report.compared} purchases could not be compared")
    return report
