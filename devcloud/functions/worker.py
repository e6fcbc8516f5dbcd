"""One function app, indexed and invoked by Microsoft's worker library through its public functions."""

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import azure_functions_runtime as library

from devcloud.functions import indexing
from devcloud.functions.cookies import set_cookie
from devcloud.functions.indexing import IndexingError
from devcloud.functions.messages import FIRST_TRY, PROTOS, ParameterBinding, StatusResult, TypedData, build_trace
from shared.clock import new_id


HTTP_LIMIT_SECONDS = 230.0  # limit of Azure's load balancer, independent of functionTimeout
TEXT = [("Content-Type", "text/plain; charset=utf-8")]

log = logging.getLogger("devcloud.functions.worker")


class InvocationFailed(Exception):
    """A function raised, or returned an invalid value."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function with its name and trigger."""

    name: str
    id: str
    trigger: Mapping[str, Any]

    @property
    def is_http(self) -> bool:
        return bool(self.trigger["type"] == "httpTrigger")

    @property
    def is_timer(self) -> bool:
        return bool(self.trigger["type"] == "timerTrigger")

    @property
    def route(self) -> str:
        return str(self.trigger.get("route") or self.name)

    @property
    def methods(self) -> frozenset[str] | None:
        """The methods; None for all."""
        methods = self.trigger.get("methods")
        return frozenset(str(method).upper() for method in methods) if methods else None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request for a function."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    params: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


FAILED = HttpResponse(500, [], b"")
TIMED_OUT = HttpResponse(504, [], b"")


class Worker:
    """The indexed app. The library has global state, so there is one per process."""

    def __init__(self, functions: list[Function], http_limit: float) -> None:
        self.functions = {function.name: function for function in functions}
        self._http_limit = http_limit
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def start(cls, app_dir: Path, *, http_limit: float = HTTP_LIMIT_SECONDS, verbose: bool = False) -> Self:
        """Indexes the app.

        Raises:
            IndexingError: the library refuses the app; one invalid function stops all, as in Azure.
        """
        if not verbose:
            logging.getLogger("azure.functions").setLevel(logging.CRITICAL)
        _run_as_in_azure(app_dir)
        library.start_threadpool_executor()
        init = await _call_library(
            library.worker_init_request,
            worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(app_dir)),
        )
        if init.result.status != StatusResult.Success:
            raise IndexingError(indexing.format_failure(init.result.exception, app_dir))
        found = await _call_library(library.functions_metadata_request)
        functions = [_parse_function(metadata) for metadata in found.function_metadata_results or []]
        if not functions:
            raise IndexingError(f"{app_dir / 'function_app.py'} is missing or registers no function")
        for function in functions:
            await _call_library(
                library.function_load_request, function_load_request=SimpleNamespace(function_id=function.id)
            )
        return cls(functions, http_limit)

    async def http(self, function: Function, call: HttpRequest) -> HttpResponse:
        """Never raises: a failed function is an empty 500, a timeout a 504 while it continues."""
        data = TypedData(
            http=SimpleNamespace(
                method=call.method,
                url=call.url,
                headers=call.headers,
                query=call.query,
                params=call.params,
                body=TypedData(bytes=call.body),
            )
        )
        task = asyncio.ensure_future(self._invoke(function, data, call.headers.get("traceparent")))
        done, _ = await asyncio.wait((task,), timeout=self._http_limit)
        if not done:
            self._running.add(task)
            task.add_done_callback(self._log_late_failure)
            log.error("%s took longer than %g s; the caller got a 504", function.name, self._http_limit)
            return TIMED_OUT
        try:
            return _build_response(task.result())
        except InvocationFailed as failure:
            log.error("%s failed: %s", function.name, failure)  # noqa: TRY400 - it has its own trace
            return FAILED

    async def timer(
        self, function: Function, *, past_due: bool = False, status: Mapping[str, str] | None = None
    ) -> None:
        """Runs a timer function once.

        Raises:
            InvocationFailed: it raised, or returned a value.
        """
        info = {"IsPastDue": past_due, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": status}
        await self._invoke(function, TypedData(json=json.dumps(info)), None)

    def close(self, *, grace_seconds: float) -> bool:
        """Waits for running handlers; False if some continue after the grace period."""
        stopping = threading.Thread(target=library.stop_threadpool_executor, daemon=True)
        stopping.start()
        stopping.join(grace_seconds)
        return not stopping.is_alive()

    async def _invoke(self, function: Function, data: TypedData, trace_parent: str | None) -> Any:  # noqa: ANN401
        invocation = new_id()
        response = await _call_library(
            library.invocation_request,
            invocation_request=SimpleNamespace(
                invocation_id=str(invocation),
                function_id=function.id,
                input_data=(ParameterBinding(name=function.trigger["name"], data=data),),
                trigger_metadata=None,
                trace_context=build_trace(trace_parent or f"00-{invocation.hex}-{invocation.hex[16:]}-01"),
                retry_context=FIRST_TRY,
            ),
        )
        if response.result.status != StatusResult.Success:
            failure = response.result.exception
            raise InvocationFailed(f"{failure.message}\n{failure.stack_trace}".rstrip())
        return response.return_value

    def _log_late_failure(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()):
            log.error("after its timeout: %s", failure)


async def _call_library(verb: Any, **request: Any) -> Any:  # noqa: ANN401 - the library is untyped
    return await verb(
        SimpleNamespace(request=SimpleNamespace(**request), properties={"host": "127.0.0.1", "protos": PROTOS})
    )


def _run_as_in_azure(app_dir: Path) -> None:
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    os.environ.setdefault("TZ", "UTC")
    time.tzset()


def _parse_function(metadata: Any) -> Function:  # noqa: ANN401 - the library is untyped
    bindings = [json.loads(binding) for binding in metadata.raw_bindings]
    triggers = [binding for binding in bindings if binding["type"].lower().endswith("trigger")]
    if len(triggers) != 1:
        raise IndexingError(f"the function {metadata.name} has {len(triggers)} triggers, it needs one")
    return Function(metadata.name, metadata.function_id, triggers[0])


def _build_response(value: Any) -> HttpResponse:  # noqa: ANN401 - the library is untyped
    kind = value.WhichOneof("data")
    if kind == "string":
        return HttpResponse(200, TEXT, value.string.encode())
    http = value.http
    headers = list(http.headers.items())
    headers += [("Set-Cookie", set_cookie(cookie)) for cookie in http.cookies or ()]
    return HttpResponse(int(http.status_code), headers, http.body.bytes)
