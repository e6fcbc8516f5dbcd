"""A small app with every behavior of the platform that the host must keep."""

import json
import logging
import os
import threading
import time
from pathlib import Path

import azure.functions as func


app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
bp = func.Blueprint()
overlapping = threading.BoundedSemaphore(1)


def note(text: str) -> None:
    """Timer functions have no response, so they write a line for the tests."""
    if path := os.environ.get("NOTES"):
        with Path(path).open("a") as notes:
            notes.write(text + "\n")


def as_json(body: object, status: int = 200, **headers: str) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json", headers=headers or None)


def seen(req: func.HttpRequest) -> dict[str, object]:
    return {
        "method": req.method,
        "url": req.url,
        "params": dict(req.route_params),
        "query": dict(req.params),
        "headers": dict(req.headers),
        "body": req.get_body().decode("latin-1"),
    }


@bp.function_name("start_timer")
@bp.route(route="timers", methods=["POST"])
def start_timer(req: func.HttpRequest) -> func.HttpResponse:
    try:
        data = req.get_json()
    except ValueError:
        return as_json({"error": "invalid json"}, 400)
    return as_json({"id": 7, **data, "query": dict(req.params)}, 201, Location="/api/timers/7")


@bp.function_name("get_timer")
@bp.route(route="timers/{id:int?}", methods=[func.HttpMethod.GET, func.HttpMethod.DELETE])
async def get_timer(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    details = {
        "function": context.function_name,
        "invocation": context.invocation_id,
        "trace": context.trace_context.trace_parent,
    }
    return as_json(seen(req) | details)


@bp.function_name("slow")
@bp.route(route="slow", methods=["GET"])
def slow(req: func.HttpRequest) -> func.HttpResponse:
    note("slow began")
    time.sleep(float(req.params.get("s", "0.3")))
    note("slow ended")
    return func.HttpResponse(threading.current_thread().name)


@bp.function_name("boom")
@bp.route(route="boom", methods=["GET"])
def boom(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("boom secret")


@bp.function_name("nothing")
@bp.route(route="nothing", methods=["GET"])
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None  # type: ignore[return-value]


@bp.function_name("cookies")
@bp.route(route="cookies", methods=["GET"])
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("ok")
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    response.headers.add(
        "Set-Cookie", "b=2; Path=/x; Max-Age=60; Secure; SameSite=Lax; Expires=Wed, 01 Jan 2031 00:00:00 GMT"
    )
    response.headers.add("X-Dup", "1")
    response.headers.add("X-Dup", "2")
    return response


@bp.function_name("plain")
@bp.route(route="plain/{*rest}")
def plain(req: func.HttpRequest) -> str:
    return f"hello {req.route_params.get('rest')}"


@bp.function_name("empty")
@bp.route(route="empty", methods=["GET", "POST", "DELETE"])
def empty(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)


@bp.function_name("odd_header")
@bp.route(route="odd-header", methods=["GET"])
def odd_header(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok", headers={"X-Name": "é"})


@bp.route(route="webhooks/marketplace", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def marketplace_webhook(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=202)


@bp.function_name("echo")
@bp.route(route="echo", methods=["GET", "POST", "PUT"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return as_json(seen(req))


@bp.function_name("given")
@bp.route(route="given", methods=["GET"])
def given(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(os.environ.get("GIVEN"))


@bp.function_name("first_of_two")
@bp.route(route="shadow/{name}", methods=["GET"])
def first_of_two(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("first_of_two")


@bp.function_name("second_of_two")
@bp.route(route="shadow/exact", methods=["GET"])
def second_of_two(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("second_of_two")


@bp.function_name("zz_rest_of_shadow")
@bp.route(route="shadow/{*path}", methods=["PUT", "OPTIONS"])
def zz_rest_of_shadow(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("zz_rest_of_shadow")


@bp.function_name("every_second")
@bp.timer_trigger(schedule="* * * * * *", arg_name="timer")
def every_second(timer: func.TimerRequest) -> None:
    if not overlapping.acquire(blocking=False):
        note("every_second overlaps")
        return
    status = timer.schedule_status  # type: ignore[attr-defined]  # the abstract class lacks it
    note(f"every_second past_due={timer.past_due} status={status}")
    time.sleep(float(os.environ.get("EVERY_SECOND_TAKES", "0")))
    overlapping.release()


@bp.function_name("every_night")
@bp.timer_trigger(schedule="%EVERY_NIGHT%", arg_name="timer")
async def every_night(timer: func.TimerRequest) -> None:
    logging.getLogger("sample").info("every_night ran")
    note("every_night ran")


@bp.function_name("failing_timer")
@bp.timer_trigger(schedule="* * * * * *", arg_name="timer")
def failing_timer(timer: func.TimerRequest) -> None:
    note("failing_timer ran")
    raise RuntimeError("no luck")


app.register_functions(bp)
