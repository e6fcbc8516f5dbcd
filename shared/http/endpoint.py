"""The way in and out of every HTTP function: authenticate, parse, call the handler, and answer whatever happens."""

import inspect
from collections.abc import Callable
from dataclasses import replace
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
from shared.http.problem import problem
from shared.http.reply import Reply
from shared.http.wire import WireModel
from shared.permissions import Access


Handler = Callable[..., Reply]
_KEYS_TRIED: Final = 4
_CONTENDED: Final = "Too many requests changed the same thing at once. Nothing was changed; try again."


def route(blueprint: func.Blueprint, declared: Operation) -> Callable[[Handler], Handler]:
    """Registers a handler as the HTTP function that its operation declares.

    The handler takes the Call and, where the operation has them, its parsed `body` and `query`. Its docstring is the
    operation's summary and description.

    Raises:
        TypeError: the handler takes something else, or has no docstring.
    """

    def decorate(handler: Handler) -> Handler:
        _require_parameters(declared, handler)
        operation = replace(declared, text=inspect.cleandoc(handler.__doc__ or ""))
        register(operation)

        def endpoint(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
            return respond(operation, handler, req, context.invocation_id)

        # Only the name, text and module: with functools.wraps the worker would see the handler's parameters.
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
    expected = {"call": Call} | {name: model for name, model in _models(operation).items() if model is not None}
    given = {name: each.annotation for name, each in inspect.signature(handler).parameters.items()}
    if given != expected or not handler.__doc__:
        raise TypeError(f"{operation.id} needs a docstring and the parameters {expected}; it takes {given}")


def _models(operation: Operation) -> dict[str, type[WireModel] | None]:
    return {"body": operation.body, "query": operation.query}


def respond(operation: Operation, handler: Handler, request: func.HttpRequest, request_id: str) -> func.HttpResponse:
    """Answers one request; no exception gets past here."""
    extra, contact, call = {"X-Request-Id": request_id, **strict_transport(None, request)}, "", None
    try:
        app = current()
        contact = app.settings.vendor_contact
        extra |= strict_transport(app.settings, request)
        extra |= cors_headers(app.settings, request.headers.get("origin"))
        call = Call(app, operation, request, request_id)
        if operation.deprecated is not None:
            extra |= operation.deprecated.headers(request.route_params)
        reply = _work(call, handler)
    except Exception as error:  # noqa: BLE001 - the last resort: a bare exception would be an empty 500
        told, caller = _certain(error, operation), {} if call is None else call.known_as
        if (refuse := operation.refuses) is not None:
            reply = refuse(told, operation=operation.id, request_id=request_id, caller=caller, contact=contact)
        else:
            reply = problem(told, operation=operation.id, request_id=request_id, caller=caller)
    return reply.to_response(extra)


def _certain(error: Exception, operation: Operation) -> Exception:
    """The error, or that it cannot be told yet: where only some refusals may be final, the others are not."""
    if not isinstance(error, ApiError) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return error
    if operation.may_refuse(error.code):
        return error
    return Inconclusive("This cannot be taken as it is now. Nothing was changed; send it again.", reason=error.code)


def _work(call: Call, handler: Handler) -> Reply:
    operation, request = call.operation, call.request
    if operation.permission.access > Access.ANYONE:
        call.authenticate()
    if operation.takes_idempotency_key:
        call.idempotency_key = parse_idempotency_key(request)
    try:
        inputs = {"query": parse_query(operation, request), "body": parse_body(operation, request)}
    except ApiError:
        if operation.permission.access >= Access.USER:
            call.require_admitted()  # a caller without the right gets 403, not the errors in the body
        raise
    return _attempt(call, handler, {name: model for name, model in inputs.items() if model is not None})


def _attempt(call: Call, handler: Handler, inputs: dict[str, WireModel]) -> Reply:
    """Runs the handler again when the database failed for a moment, or when its key turned out to be free.

    Never when its work may be done already, unless a key would find that.
    """
    retry, keys = for_requests(), 0
    while True:
        try:
            return handler(call, **inputs)
        except KeyTaken:
            reply, keys = call.settle(None), keys + 1
            if reply is not None:
                return reply
            if keys == _KEYS_TRIED:
                raise Unavailable(_CONTENDED) from None
        except Unavailable:
            raise  # to look for the key's answer would be to wait as long again
        except ApiError as error:
            reply = call.settle(error)
            if reply is not None:
                return reply
            raise
        except FAULTS as error:
            if not (call.may_be_repeated and retry.allows(error)):
                raise
