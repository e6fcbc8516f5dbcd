"""The baseline: the cheapest correct response on this host. It verifies RS256 and runs one transaction.

A start is one INSERT and a stop one UPDATE, as durable as the product's (WAL, synchronous=FULL), on one connection with
a lock, which is faster than SQLite's own. It has no rules: it is a lower bound, not a product.
"""

import json
import os
import sqlite3
import threading
import urllib.request
from typing import Any

import azure.functions as func
import jwt

from shared import clock


app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

with urllib.request.urlopen(os.environ["BASELINE_KEYS_URL"], timeout=10) as _answer:  # noqa: S310 - the bench's own
    _KEY = jwt.PyJWK(json.load(_answer)["keys"][0], algorithm="RS256").key
_lock = threading.Lock()
_timers = sqlite3.connect(os.environ["BASELINE_DATABASE"], isolation_level=None, check_same_thread=False)
for _statement in (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "CREATE TABLE timers (id TEXT PRIMARY KEY, tid TEXT, oid TEXT, item INTEGER, started, stopped)",
    "CREATE INDEX running ON timers (tid, oid) WHERE stopped IS NULL",
):
    _timers.execute(_statement)


@app.route(route="timers/start", methods=["POST"])
def start(req: func.HttpRequest) -> func.HttpResponse:
    claims = _claims(req)
    item = json.loads(req.get_body())["workItemId"]
    timer_id = str(clock.new_id())
    row = (timer_id, claims["tid"], claims["oid"], item, clock.now().isoformat())
    with _lock:
        _timers.execute("INSERT INTO timers (id, tid, oid, item, started) VALUES (?, ?, ?, ?, ?)", row)
    return _build_response(201, {"id": timer_id, "workItemId": item})


@app.route(route="timers/stop", methods=["POST"])
def stop(req: func.HttpRequest) -> func.HttpResponse:
    claims = _claims(req)
    values = (clock.now().isoformat(), claims["tid"], claims["oid"])
    with _lock:
        timer_id, item = _timers.execute(
            "UPDATE timers SET stopped = ? WHERE tid = ? AND oid = ? AND stopped IS NULL RETURNING id, item", values
        ).fetchall()[0]
    return _build_response(200, {"id": timer_id, "workItemId": item})


def _claims(request: func.HttpRequest) -> dict[str, Any]:
    return jwt.decode(
        request.headers["authorization"].removeprefix("Bearer "),
        _KEY,
        algorithms=["RS256"],
        audience=os.environ["BASELINE_AUDIENCE"],
        issuer=os.environ["BASELINE_ISSUER"],
        options={"require": ["exp", "nbf", "iat", "aud", "iss", "tid", "oid"]},
    )


def _build_response(status: int, body: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")
