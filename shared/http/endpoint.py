"""The edge of every HTTP function: authenticates, parses, calls the handler and turns errors into responses."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final

import azure.functions as func

from shared.app import current
from shared.db.retry import FAULTS, for_requests
from shared.errors import ApiError, Inconclusive, Unavailable
from shared.http.address import strict_transport
from shared.http.call import Call
from shared.http.cors import cors_headers
from shared.http.idempotency import KeyTaken
from shared.http.operation import Operation, register
from shared.http.parsing import parse_body, parse_idempotency_key, parse_query
from shared.http.problem import to_problem
from shared.http.reply import Reply
from shared.http.versions import require_version, version_headers
from shared.http.wire import WireModel
from shared.permissions import Access


Handler = Callable[..., Reply]
_KEYS_TRIED: Final = 4
_CONTENDED: Final = "Too many requests changed the same data at once. Nothing was changed; try again."


def route(blueprint: func.Blueprint, declared: Operation) -> Callable[[Handler], Handler]:
    """Registers a handler as the HTTP function that its operation declares.

    The handler takes the Call and, where the operation has them, its parsed `body` and `query`. Its docstring is the
    operation's summary and description.

    Raises:
        TypeError: the handler takes something else, or has no docstring.
    """

    def decorate(handler: Handler) -> Handler:
        _require_parameters(declared, handler)
        operation = replace(declared, docstring=inspect.cleandoc(handler.__doc__ or ""))
        register(operation)

        def endpoint(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
            return respond(operation, partial(handle, handler=handler), req, context.invocation_id)

        # Not with functools.wraps: the worker would take the handler's parameters for bindings.
        endpoint.__name__, endpoint.__doc__, endpoint.__module__ = (
            operation.id,
            handler.__doc__,
            handler.__module__,
        )
        routed = blueprint.route(
            route=operation.path, methods=[*operation.methods], auth_level=func.AuthLevel.ANONYMOUS
        )
        blueprint.function_name(operation.id)(routed(endpoint))
        return handler

    return decorate


def _require_parameters(operation: Operation, handler: Handler) -> None:
    models = {"call": Call, "body": operation.body, "query": operation.query}
    expected = {name: model for name, model in models.items() if model is not None}
    actual = {name: each.annotation for name, each in inspect.signature(handler).parameters.items()}
    if actual != expected or not handler.__doc__:
        raise TypeError(f"{operation.id} needs a docstring and the parameters {expected}; it takes {actual}")


def respond(
    operation: Operation, work: Callable[[Call], Reply], request: func.HttpRequest, request_id: str
) -> func.HttpResponse:
    """Responds to one request, whatever exception the work raises."""
    headers, contact, call = {"X-Request-Id": request_id, **strict_transport(None, request)}, "", None
    try:
        headers |= version_headers(request) if operation.is_versioned else {}
        app = current()
        contact = app.settings.vendor_contact
        headers |= strict_transport(app.settings, request)
        headers |= cors_headers(app.settings, request.headers.get("origin"))
        call = Call(app, operation, request, request_id)
        if operation.deprecated is not None:
            headers |= operation.deprecated.headers(request.route_params)
        reply = work(call)
    except Exception as error:  # noqa: BLE001 - an exception that escapes would become an empty 500
        shown, caller = _inconclusive_unless_allowed(error, operation), {} if call is None else call.known_ids
        if operation.error_page is not None:
            page = operation.error_page
            reply = page(shown, operation=operation.id, request_id=request_id, caller=caller, contact=contact)
        else:
            reply = to_problem(shown, operation=operation.id, request_id=request_id, caller=caller)
    return reply.to_response(headers)


def _inconclusive_unless_allowed(error: Exception, operation: Operation) -> Exception:
    """The error, or `Inconclusive` in place of a 4xx that the operation may not return."""
    if not isinstance(error, ApiError) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return error
    if operation.allows_error(error.code):
        return error
    return Inconclusive("This cannot be processed now. Nothing was changed; send it again.", reason=error.code)


def handle(call: Call, handler: Handler) -> Reply:
    operation, request = call.operation, call.request
    if operation.is_versioned:
        require_version(request)
    if operation.permission.access > Access.ANYONE:
        call.principal = call.app.validator.validate(request.headers.get("authorization"))
    if operation.takes_idempotency_key:
        call.idempotency_key = parse_idempotency_key(request)
    try:
        inputs = {"query": parse_query(operation, request), "body": parse_body(operation, request)}
    except ApiError:
        if operation.permission.access >= Access.USER:
            call.require_allowed()  # a caller without the right gets 403, not the errors in the body
        raise
    return _attempt(call, handler, {name: model for name, model in inputs.items() if model is not None})


def _attempt(call: Call, handler: Handler, inputs: dict[str, WireModel]) -> Reply:
    """Runs the handler, again after a transient fault of the database or when its key turned out to be free.

    It is not run again if its work may be done already, unless the key would find that.
    """
    retry, keys = for_requests(), 0
    while True:
        try:
            return handler(call, **inputs)
        except KeyTaken:
            reply, keys = call.replay_or_store(None), keys + 1
            if reply is not None:
                return reply
            if keys == _KEYS_TRIED:
                raise Unavailable(_CONTENDED) from None
        except Unavailable:
            raise  # looking for a stored reply would wait as long again
        except ApiError as error:
            reply = call.replay_or_store(error)
            if reply is not None:
                return reply
            raise
        except FAULTS as error:
            if not (call.may_be_repeated and retry.allows(error)):
                raise
