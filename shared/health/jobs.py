"""The scheduled job that checks the invariants of the data, and raises an alarm for violations."""

from typing import Any

import azure.functions as func
import sqlalchemy as sa

from shared.app import App, current
from shared.db.retry import RetryPolicy, for_jobs
from shared.db.row_level_security import ALL_TENANTS
from shared.db.statements import limit_statements
from shared.health.invariants import Invariants, Violation, check
from shared.jobs import transact
from shared.log import exception_fields, get_logger


_NAME = "check_invariants"
_LIMIT_SECONDS = 60  # of one invariant, which reads all data


class InvariantsViolated(Exception):
    """An invariant is violated or could not be checked. The run fails, which raises the alarm."""


def build_blueprint(invariants: Invariants) -> func.Blueprint:
    """The function that checks these invariants."""
    blueprint = func.Blueprint()

    @blueprint.function_name(_NAME)
    @blueprint.timer_trigger(arg_name="timer", schedule="0 */15 * * * *", run_on_startup=False, use_monitor=True)
    def check_invariants(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's argument
        check_all(current(), invariants)

    return blueprint


def check_all(app: App, invariants: Invariants) -> None:
    """Checks every invariant, each in its own transaction.

    Raises:
        InvariantsViolated: after all checks, if one is violated or could not be checked.
    """
    violated = failed = 0
    retry = for_jobs()
    for name, query in invariants.items():
        try:
            violation = _check(app, name, query, retry)
        except Exception as error:  # noqa: BLE001 - the others are still checked
            failed += 1
            get_logger().error("invariant_not_checked", invariant=name, **exception_fields(error))
        else:
            if violation is not None:
                violated += 1
                get_logger().error("invariant_violated", invariant=name, count=violation.count, ids=list(violation.ids))
    get_logger().info("job_done", function=_NAME, count=violated, failed=failed)
    if violated or failed:
        raise InvariantsViolated(f"{violated} of {len(invariants)} invariants violated, {failed} could not be checked")


def _check(app: App, name: str, query: sa.Select[Any], retry: RetryPolicy) -> Violation | None:
    def check_one(tx: sa.Connection) -> Violation | None:
        limit_statements(tx, _LIMIT_SECONDS)
        return check(tx, name, query)

    return transact(app, ALL_TENANTS, check_one, reads_only=True, retry=retry)
