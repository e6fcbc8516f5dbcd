"""Errors that callers see, each with its status and its stable code.

ApiError
├── InvalidRequest        400  invalid_request (and invalid_body, invalid_query, invalid_idempotency_key ...)
├── InvalidToken          401  invalid_token
├── PaymentRequired       402  payment_required (trial_expired, subscription_suspended ...)
├── Forbidden             403  forbidden (insufficient_scope, role_required, user_deactivated ...)
├── NotFound              404  not_found
├── MethodNotAllowed      405  method_not_allowed
├── Conflict              409  conflict (timer_already_running, no_running_timer, tenant_already_registered ...)
│   └── RetryableConflict      not stored for the Idempotency-Key
├── LengthRequired        411  length_required
├── PreconditionFailed    412  precondition_failed
├── BodyTooLarge          413  body_too_large
├── UnsupportedMediaType  415  unsupported_media_type
├── Misdirected           421  address_unknown
├── IdempotencyKeyReused  422  idempotency_key_reused
├── PreconditionRequired  428  if_match_required
├── AzureDevOpsError      403, 404, 409, 422, 429, 503: timers/azure_devops/errors.py
├── InternalError         500  internal_error
└── Unavailable           503  temporarily_unavailable, signing_keys_unavailable
    └── Inconclusive           not counted as an outage: signing_key_unknown

shared/http turns them into RFC 9457 problem documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """A wrong field: `pointer` is a JSON pointer into the body, or the name of a parameter or header."""

    pointer: str
    detail: str


class ApiError(Exception):
    """`title` names the error, `detail` tells the person what to do, `extra` adds members to the problem document."""

    status: ClassVar[HTTPStatus]
    code: str
    title: str

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        title: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        if code is not None:
            self.code = code
        if title is not None:
            self.title = title


class InvalidRequest(ApiError):
    status, code, title = HTTPStatus.BAD_REQUEST, "invalid_request", "Invalid request"


class InvalidToken(ApiError):
    """`reason` goes to the log only; the caller always gets the same text."""

    status, code, title = HTTPStatus.UNAUTHORIZED, "invalid_token", "Sign in again"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "The access token is missing, expired or not valid for TimeTracker. Sign in and try again.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
        self.reason = reason


class PaymentRequired(ApiError):
    status, code, title = HTTPStatus.PAYMENT_REQUIRED, "payment_required", "Not allowed by the plan"


class Forbidden(ApiError):
    status, code, title = HTTPStatus.FORBIDDEN, "forbidden", "Not allowed"


class InsufficientScope(Forbidden):
    """A valid token that was not issued to a person in the extension. `reason` goes to the log only."""

    code = "insufficient_scope"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "This access token does not include access to TimeTracker. Sign in through the TimeTracker extension.",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        )
        self.reason = reason


class NotFound(ApiError):
    status, code, title = HTTPStatus.NOT_FOUND, "not_found", "Not found"


class MethodNotAllowed(ApiError):
    status, code, title = HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed"


class Conflict(ApiError):
    """A final conflict is stored for the Idempotency-Key, so that a late repeat gets it too."""

    status, code, title = HTTPStatus.CONFLICT, "conflict", "Conflict"
    is_final: bool = True


class RetryableConflict(Conflict):
    """A conflict that the same request may not have later.

    For example a late event, once the events before it have arrived, or hours, once Azure DevOps accepts them.
    """

    is_final = False


class LengthRequired(ApiError):
    status, code, title = HTTPStatus.LENGTH_REQUIRED, "length_required", "Length required"


class PreconditionFailed(ApiError):
    status, code, title = (
        HTTPStatus.PRECONDITION_FAILED,
        "precondition_failed",
        "Precondition failed: the resource has changed",
    )


class PreconditionRequired(ApiError):
    status, code, title = HTTPStatus.PRECONDITION_REQUIRED, "if_match_required", "Precondition required"


class BodyTooLarge(ApiError):
    status, code, title = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "Content too large"


class UnsupportedMediaType(ApiError):
    status, code, title = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type"


class Misdirected(ApiError):
    status, code, title = HTTPStatus.MISDIRECTED_REQUEST, "address_unknown", "TimeTracker does not know its address"


class IdempotencyKeyReused(ApiError):
    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key already used"


class InternalError(ApiError):
    status, code, title = HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Internal server error"


class Unavailable(ApiError):
    """A temporary failure; the same request may be sent again."""

    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable", "Try again in a moment"

    def __init__(self, detail: str, *, code: str | None = None, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after_seconds)})


class Inconclusive(Unavailable):
    """A check that has no result yet; the same request may be sent again.

    It is logged apart from outages, with `reason`, a short stable code; by default `code`.
    """

    def __init__(
        self, detail: str, *, reason: str | None = None, code: str | None = None, retry_after_seconds: int = 5
    ) -> None:
        super().__init__(detail, code=code, retry_after_seconds=retry_after_seconds)
        self.reason = self.code if reason is None else reason
