"""The one place that turns an error into an HTTP answer."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from shared.db.retry import is_retryable
from shared.errors import ApiError, Inconclusive, InsufficientScope, InternalError, InvalidToken, Unavailable
from shared.http.reply import Reply
from shared.http.wire import Problem
from shared.log import get_logger, where


PROBLEM_JSON: Final = "application/problem+json"
_NOT_THEIRS: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_DATABASE_AWAY: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


def as_api_error(error: Exception) -> ApiError:
    """What the caller is told of any failure; what we did not foresee tells them nothing but whose fault it is."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, _DATABASE_AWAY) or is_retryable(error):
        # The connection may have been lost at the COMMIT, so nobody knows whether it was done.
        return Unavailable(
            "The database cannot be reached right now. Send the same request again in a moment; with the same "
            "idempotency key it is done only once."
        )
    return InternalError("This is our fault, not yours, and has been logged. Try again, and quote the request's id.")


def problem(
    error: Exception, *, operation: str, request_id: str, caller: Mapping[str, str] = MappingProxyType({})
) -> Reply:
    """The RFC 9457 answer to an error; what went wrong inside is logged, not told. `caller` is as in `told`."""
    failure = told(error, operation=operation, request_id=request_id, caller=caller)
    document = Problem.of(failure, request_id=request_id)
    return Reply(failure.status, document.to_json(), {**failure.headers, "Content-Type": PROBLEM_JSON})


def told(
    error: Exception, *, operation: str, request_id: str, caller: Mapping[str, str] = MappingProxyType({})
) -> ApiError:
    """What the caller is told, whether as a document or as a page; what went wrong inside is logged.

    `caller` has the random ids of their tenant and account, as far as they are known: the log has them where somebody
    asked for what is not theirs.
    """
    failure = as_api_error(error)
    facts = {"requestId": request_id, "operation": operation, "status": int(failure.status), "code": failure.code}
    _log(error, failure, {**facts, **(caller if failure.status in _NOT_THEIRS else {})})
    return failure


def _log(error: Exception, failure: ApiError, facts: Mapping[str, Any]) -> None:
    if isinstance(error, InvalidToken | InsufficientScope):
        get_logger().info("token_refused", reason=error.reason, **facts)
    elif isinstance(failure, Inconclusive):  # in no figure of availability: whoever sends unknown keys makes these
        get_logger().warning("request_inconclusive", reason=failure.reason, **facts)
    elif isinstance(failure, InternalError | Unavailable):
        get_logger().error("request_failed", **facts, **where(error))
    else:
        get_logger().info("request_refused", **facts)
