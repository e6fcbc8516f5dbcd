"""Every failure a caller can be told about, each with its status and its stable code.

ApiError
├── InvalidRequest        400  invalid_request (and invalid_body, invalid_query, invalid_idempotency_key ...)
├── InvalidToken          401  invalid_token
├── PaymentRequired       402  payment_required (trial_expired, subscription_suspended ...)
├── Forbidden             403  forbidden (insufficient_scope, role_required, user_deactivated ...)
├── NotFound              404  not_found
├── MethodNotAllowed      405  method_not_allowed
├── Conflict              409  conflict (timer_already_running, no_running_timer, tenant_already_registered ...)
│   └── NotYet                 the same, and not kept for the Idempotency-Key
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
    └── Inconclusive           the same, and no failure of ours: signing_key_unknown

shared/http turns them into RFC 9457 problem documents; nothing else maps an error to a status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a request: a JSON pointer into the body, or the name of a parameter or header."""

    pointer: str
    detail: str


class ApiError(Exception):
    """The base: `title` names it, `detail` says what to do, `extra` members are added to the problem document."""

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
    status, code, title = HTTPStatus.BAD_REQUEST, "invalid_request", "The request is not valid"


class InvalidToken(ApiError):
    """Always the same words: what was wrong with a token is for the log, not for whoever sent it."""

    status, code, title = HTTPStatus.UNAUTHORIZED, "invalid_token", "Sign in again"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "The access token is missing, expired or not meant for this service. Sign in and try again.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
        self.reason = reason


class PaymentRequired(ApiError):
    status, code, title = HTTPStatus.PAYMENT_REQUIRED, "payment_required", "The plan does not allow this now"


class Forbidden(ApiError):
    status, code, title = HTTPStatus.FORBIDDEN, "forbidden", "Not allowed"


class InsufficientScope(Forbidden):
    """A sound token that was not issued for people using the extension; the reason goes to the log only."""

    code = "insufficient_scope"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "This access token does not allow using TimeTracker. Sign in through the TimeTracker extension.",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        )
        self.reason = reason


class NotFound(ApiError):
    status, code, title = HTTPStatus.NOT_FOUND, "not_found", "There is nothing here"


class MethodNotAllowed(ApiError):
    status, code, title = (
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address has other methods",
    )


class Conflict(ApiError):
    """A final one is kept for the request's Idempotency-Key: a late repeat is told the same."""

    status, code, title = HTTPStatus.CONFLICT, "conflict", "The state of things does not allow this"
    is_final: bool = True


class NotYet(Conflict):
    """What may well be otherwise when it is asked for again, by the same request.

    A report of a timer, once the reports before it are here; hours, once Azure DevOps can take them.
    """

    is_final = False


class LengthRequired(ApiError):
    status, code, title = HTTPStatus.LENGTH_REQUIRED, "length_required", "The body did not arrive"


class PreconditionFailed(ApiError):
    status, code, title = HTTPStatus.PRECONDITION_FAILED, "precondition_failed", "It was changed in the meantime"


class PreconditionRequired(ApiError):
    status, code, title = HTTPStatus.PRECONDITION_REQUIRED, "if_match_required", "Say which version you change"


class BodyTooLarge(ApiError):
    status, code, title = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body is too large"


class UnsupportedMediaType(ApiError):
    status, code, title = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Send JSON"


class Misdirected(ApiError):
    status, code, title = HTTPStatus.MISDIRECTED_REQUEST, "address_unknown", "TimeTracker does not know its address"


class IdempotencyKeyReused(ApiError):
    status, code, title = (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "This key was used before",
    )


class InternalError(ApiError):
    status, code, title = HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something broke on our side"


class Unavailable(ApiError):
    """Our side cannot answer now; the same request may be sent again."""

    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable", "Try again in a moment"

    def __init__(self, detail: str, *, code: str | None = None, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after_seconds)})


class Inconclusive(Unavailable):
    """Whether it is so cannot be told yet: neither a yes nor a no, and the same request may be sent again.

    `reason` is a short stable code for the log, where such answers are told apart from failures; by default `code`.
    """

    def __init__(
        self, detail: str, *, reason: str | None = None, code: str | None = None, retry_after_seconds: int = 5
    ) -> None:
        super().__init__(detail, code=code, retry_after_seconds=retry_after_seconds)
        self.reason = self.code if reason is None else reason
