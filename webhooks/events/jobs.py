"""The scheduled job that compares every purchase with Microsoft's list."""

from typing import TYPE_CHECKING

import azure.functions as func

from billing import marketplace
from shared.app import App, current
from shared.jobs import JobFailed
from shared.restore.flow import run_unless_held
from webhooks.events.reconcile_flow import ReconcileReport, log_report, reconcile


if TYPE_CHECKING:
    from billing.marketplace import MarketplaceClient


blueprint = func.Blueprint()
_NAME = "reconcile_subscriptions"
_DAILY = "0 40 3 * * *"  # NCRONTAB, UTC; few people change a subscription at this time


@blueprint.function_name(_NAME)
@blueprint.timer_trigger(arg_name="timer", schedule=_DAILY, run_on_startup=False, use_monitor=True)
def reconcile_subscriptions(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the pending work is in the database
    reconcile_all(current())


def reconcile_all(app: App) -> ReconcileReport:
    """The report; an empty one without Marketplace settings.

    Raises:
        JobFailed: some purchases could not be compared; the others are done.
    """
    client = marketplace.of(app)
    if client is None:
        return ReconcileReport()
    # Held after a restore, since it may close a final bill.
    return run_unless_held(app, _NAME, lambda: _reconcile(app, client), held=ReconcileReport())


def _reconcile(app: App, client: "MarketplaceClient") -> ReconcileReport:
    report = reconcile(app, client)
    log_report(report)
    if not report.is_whole:
        failures = len(report.failed) + len(report.unreadable)
        raise JobFailed(f"{_NAME}: {failures} of {report.compared} purchases could not be compared")
    return report
