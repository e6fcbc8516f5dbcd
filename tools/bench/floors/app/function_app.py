"""The floor: the least that a correct answer costs on this host. Verifies RS256, does one transaction, nothing else.

A start is one INSERT, a stop one UPDATE and an event of the Marketplace one INSERT, as durable as the product's (WAL,
synchronous=FULL); one connection and a lock, which is quicker than waiting for SQLite's own. No rule is held: it is a
lower bound, not a product.
"""

import json
import os
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import jwt
import psycopg

from shared import clock
from tools.bench.floors.app import exports, webhook


app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

_AUDIENCE = os.environ["FLOOR_AUDIENCE"]
_ISSUER = os.environ["FLOOR_ISSUER"]
with urllib.request.urlopen(os.environ["FLOOR_KEYS_URL"], timeout=10) as _answer:  # noqa: S310 - the bench's own
    _KEY = jwt.PyJWK(json.load(_answer)["keys"][0], algorithm="RS256").key
_REQUIRED = ["exp", "nbf", "iat", "aud", "iss", "tid", "oid"]
_REQUIRED_OF_MARKETPLACE = ["exp", "aud", "iss", "tid"]


def _connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


_lock = threading.Lock()
_timers = _connected(os.environ["FLOOR_DATABASE"])
_timers.execute(
    "CREATE TABLE IF NOT EXISTS timers (id TEXT PRIMARY KEY, tid TEXT, oid TEXT, item INTEGER, started, stopped)"
)
_timers.execute("CREATE INDEX IF NOT EXISTS running ON timers (tid, oid) WHERE stopped IS NULL")
_timers.execute(
    "CREATE TABLE IF NOT EXISTS subscription_events "
    "(operation_id TEXT PRIMARY KEY, subscription_id TEXT, status TEXT, quantity INTEGER, recorded)"
)
_reports = threading.local()
_ON_SQLITE = os.environ["FLOOR_REPORT_DATABASE"].startswith("sqlite")
_PEOPLE = (
    "SELECT count(*) FROM (SELECT user_id FROM time_entry_days WHERE tenant_id = 1 AND month_key = ? "
    "UNION SELECT user_id FROM user_months WHERE tenant_id = 1 AND month_key = ?) AS people"
)
_REPORT = (
    "SELECT project_id, sum(ms), sum(n) FROM (SELECT month_key, work_date, project_id, sum(elapsed_ms) AS ms, "
    "sum(CASE WHEN starts_entry = 1 OR work_date = ? THEN 1 ELSE 0 END) AS n FROM time_entry_days "
    "WHERE tenant_id = 1 AND month_key = ? GROUP BY month_key, work_date, project_id) AS cells GROUP BY project_id"
)


def _claims(
    request: func.HttpRequest, audience: str = _AUDIENCE, issuer: str = _ISSUER, required: list[str] = _REQUIRED
) -> dict[str, Any]:
    token = request.headers["authorization"].removeprefix("Bearer ")
    return jwt.decode(
        token, _KEY, algorithms=["RS256"], audience=audience, issuer=issuer, options={"require": required}
    )


def _answered(status: int, body: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")


@app.route(route="timers/start", methods=["POST"])
def start(req: func.HttpRequest) -> func.HttpResponse:
    claims = _claims(req)
    item = json.loads(req.get_body())["workItemId"]
    timer_id = str(clock.new_id())
    row = (timer_id, claims["tid"], claims["oid"], item, clock.now().isoformat())
    with _lock:
        _timers.execute("INSERT INTO timers (id, tid, oid, item, started) VALUES (?, ?, ?, ?, ?)", row)
    return _answered(201, {"id": timer_id, "workItemId": item})


@app.route(route="timers/stop", methods=["POST"])
def stop(req: func.HttpRequest) -> func.HttpResponse:
    claims = _claims(req)
    values = (clock.now().isoformat(), claims["tid"], claims["oid"])
    with _lock:
        timer_id, item = _timers.execute(
            "UPDATE timers SET stopped = ? WHERE tid = ? AND oid = ? AND stopped IS NULL RETURNING id, item", values
        ).fetchall()[0]
    return _answered(200, {"id": timer_id, "workItemId": item})


@app.route(route="marketplace/webhook", methods=["POST"])
def receive(req: func.HttpRequest) -> func.HttpResponse:
    """Microsoft's token, the two questions that every change needs, and one row."""
    audience, issuer = os.environ["FLOOR_WEBHOOK_AUDIENCE"], os.environ["FLOOR_WEBHOOK_ISSUER"]
    _claims(req, audience, issuer, _REQUIRED_OF_MARKETPLACE)
    row = (*webhook.row(json.loads(req.get_body())), clock.now().isoformat())
    with _lock:
        _timers.execute("INSERT INTO subscription_events VALUES (?, ?, ?, ?, ?)", row)
    return func.HttpResponse(status_code=200)


@app.route(route="reports/month", methods=["GET"])
def report(req: func.HttpRequest) -> func.HttpResponse:
    """The same sums over the same covering index on the same data; no names, no days, no people."""
    _claims(req)
    month = req.params["month"]
    rows = [
        {"project": project, "elapsedMs": int(ms), "entries": int(entries)}
        for project, ms, entries in _found(_REPORT, (f"{month}-01", int(month.replace("-", ""))))
    ]
    return _answered(200, {"rows": rows, "totalMs": sum(row["elapsedMs"] for row in rows)})


@app.route(route="billing/preview", methods=["GET"])
def preview(req: func.HttpRequest) -> func.HttpResponse:
    """Who would be billed now, counted; no names, no price and no period of the subscription."""
    _claims(req)
    month = f"{clock.now():%Y%m}"
    [(people,)] = _reading().execute(_worded(_PEOPLE), (int(month), int(month))).fetchall()
    return _answered(200, {"activeUsers": people})


@app.route(route="reports/summary", methods=["GET"])
def export(req: func.HttpRequest) -> func.HttpResponse:
    """The bytes of the product's CSV, or a workbook that only lists the same pieces: no sums, formats or charts."""
    _claims(req)
    first, last = req.params["from"], req.params["to"]
    values = (int(first[:7].replace("-", "")), int(last[:7].replace("-", "")), first, last)
    if req.params["format"] == "csv":
        return func.HttpResponse(exports.lines(_found(exports.LINES, values)), mimetype="text/csv")
    return func.HttpResponse(exports.book(_found(exports.PIECES, values)), mimetype="application/octet-stream")


def _found(statement: str, values: tuple[object, ...]) -> Iterator[tuple[Any, ...]]:
    """The rows as the driver hands them out, a thousand at a time."""
    connection = _reading()
    if _ON_SQLITE:
        yield from connection.execute(statement, values)
        return
    with connection.transaction(), connection.cursor("floor") as cursor:
        cursor.itersize = 1000
        yield from cursor.execute(_worded(statement), values)


def _reading() -> Any:  # noqa: ANN401 - of either driver
    """The thread's own connection to what is read, by itself in no transaction."""
    if not hasattr(_reports, "connection"):
        url = os.environ["FLOOR_REPORT_DATABASE"]
        _reports.connection = (
            _connected(url.removeprefix("sqlite:///"))
            if _ON_SQLITE
            else psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        )
    return _reports.connection


def _worded(statement: str) -> str:
    return statement if _ON_SQLITE else statement.replace("?", "%s")
