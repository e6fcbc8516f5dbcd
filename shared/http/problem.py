"""Turns errors into problem documents (RFC 9457), and logs them."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from shared.db.retry import is_retryable
from shared.errors import ApiError, Inconclusive, InsufficientScope, InternalError, InvalidToken, Unavailable
from shared.http.reply import Reply
from shared.http.wire import Problem
from shared.log import exception_fields, get_logger


PROBLEM_JSON: Final = "application/problem+json"
_WITH_CALLER: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_DATABASE_UNAVAILABLE: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


def to_api_error(error: Exception) -> ApiError:
    """The error as the caller sees it. An unexpected one becomes an internal error without details."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, _DATABASE_UNAVAILABLE) or is_retryable(error):
        # If the connection was lost at the COMMIT, the work may be done.
        return Unavailable(
            "The database is unavailable. Send the same request again in a moment; with the same idempotency key it is "
            "processed only once."
        )
    return InternalError(
        "An error occurred in TimeTracker. Try again. If it happens again, tell support the request id."
    )


def to_problem(
    error: Exception, *, operation: str, request_id: str, caller: Mapping[str, str] = MappingProxyType({})
) -> Reply:
    """The response to an error. Arguments as for `log_error`."""
    shown = log_error(error, operation=operation, request_id=request_id, caller=caller)
    document = Problem.of(shown, request_id=request_id)
    return Reply(shown.status, document.to_json(), {**shown.headers, "Content-Type": PROBLEM_JSON})


def log_error(
    error: Exception, *, operation: str, request_id: str, caller: Mapping[str, str] = MappingProxyType({})
) -> ApiError:
    """Logs an error with its cause, and returns it as the caller sees it.

    `caller` has the random ids of tenant and user, as far as known; they are logged with 403 and 404.
    """
    shown = to_api_error(error)
    facts = {"requestId": request_id, "operation": operation, "status": int(shown.status), "code": shown.code}
    _log(error, shown, {**facts, **(caller if shown.status in _WITH_CALLER else {})})
    return shown


def _log(error: Exception, shown: ApiError, facts: Mapping[str, Any]) -> None:
    if isinstance(error, InvalidToken | InsufficientScope):
        get_logger().info("token_refused", reason=error.reason, **facts)
    elif isinstance(shown, Inconclusive):  # not counted as unavailability: anybody can cause these with unknown keys
        get_logger().warning("request_inconclusive", reason=shown.reason, **facts)
    elif isinstance(shown, InternalError | Unavailable):
        get_logger().error("request_failed", **facts, **exception_fields(error))
    else:
        get_logger().info("request_refused", **facts)
