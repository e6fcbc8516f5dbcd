"""The timer-triggered function that looks whether the data is sound, and raises an alarm for what is not."""

from typing import Any

import azure.functions as func
import sqlalchemy as sa

from shared.app import App, current
from shared.db.retry import RetryPolicy, for_jobs
from shared.db.row_level_security import ALL_TENANTS
from shared.db.statements import limit_statements
from shared.health.invariants import Invariants, Violation, check
from shared.jobs import transact
from shared.log import get_logger, where


_NAME = "check_invariants"
_LIMIT_SECONDS = 60  # each: they go through all the data there is


class DataUnsound(Exception):
    """An invariant is violated or could not be checked. The run counts as failed, so that somebody looks."""


def blueprint_of(invariants: Invariants) -> func.Blueprint:
    """The function, for the invariants of all slices."""
    blueprint = func.Blueprint()

    @blueprint.function_name(_NAME)
    @blueprint.timer_trigger(arg_name="timer", schedule="0 */15 * * * *", run_on_startup=False, use_monitor=True)
    def check_invariants(timer: func.TimerRequest) -> None:  # noqa: ARG001 - all of the data is looked at
        check_all(current(), invariants)

    return blueprint


def check_all(app: App, invariants: Invariants) -> None:
    """Checks every invariant in a transaction of its own; one that fails keeps none from being checked.

    Raises:
        DataUnsound: after all have had their turn, when any is violated or could not be checked.
    """
    violated = failed = 0
    retry = for_jobs()
    for name, query in invariants.items():
        try:
            found = _checked(app, name, query, retry)
        except Exception as error:  # noqa: BLE001 - one that cannot be checked must not hide the others
            failed += 1
            get_logger().error("invariant_not_checked", invariant=name, **where(error))
        else:
            if found is not None:
                violated += 1
                get_logger().error("invariant_violated", invariant=name, count=found.count, ids=list(found.ids))
    get_logger().info("job_done", function=_NAME, count=violated, failed=failed)
    if violated or failed:
        raise DataUnsound(f"{violated} of {len(invariants)} invariants are violated, {failed} could not be checked")


def _checked(app: App, name: str, query: sa.Select[Any], retry: RetryPolicy) -> Violation | None:
    def look(tx: sa.Connection) -> Violation | None:
        limit_statements(tx, _LIMIT_SECONDS)
        return check(tx, name, query)

    return transact(app, ALL_TENANTS, look, reads_only=True, retry=retry)
