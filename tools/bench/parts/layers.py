"""What each layer of a request costs in one process, without HTTP: the pieces are timed where they meet."""

import contextlib
import dataclasses
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import sqlalchemy as sa
from azure.functions import HttpRequest, HttpResponse
from sqlalchemy import event

from reports.routes import get_month_report
from shared.app import App, build, use
from shared.auth.tokens import Principal
from shared.db.dialects import SqliteConnection
from shared.http.endpoint import Handler, respond
from shared.http.operation import OPERATIONS
from shared.settings import Settings
from timers.running.routes import start_timer, stop_timer
from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data.database import Ground
from tools.bench.data.directory import Directory
from tools.bench.data.rows import REPORT_MONTH


TOKEN: Final = "token"  # noqa: S105 - a layer's name
EDGE: Final = "edge"
WORK: Final = "service and store"
STATEMENTS: Final = "database: statements"
COMMIT: Final = "database: commit"
LAYERS: Final = (TOKEN, EDGE, WORK, STATEMENTS, COMMIT)
WARM_UP: Final = 50
CALLS_A_SECOND: Final = 300  # that are taken for each second of a round


@dataclass(frozen=True, slots=True)
class Layered:
    """One operation: microseconds of each layer in a typical call, and the calls it was taken from."""

    name: str
    micros: Mapping[str, float]
    calls: int

    @property
    def total(self) -> float:
        return sum(self.micros.values())


@dataclass
class _Clocks:
    """Microseconds spent so far in this call, by where the clock stands: each includes what it called."""

    spent: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, began)

    def add(self, name: str, began: float) -> None:
        self.spent[name] = self.spent.get(name, 0.0) + (time.perf_counter() - began) * 1e6


class _Validator:
    def __init__(self, inner: Any, clocks: _Clocks) -> None:  # noqa: ANN401 - stands in for the product's own
        self._inner, self._clocks = inner, clocks

    def validate(self, authorization: str | None) -> Principal:
        with self._clocks.running(TOKEN):
            found: Principal = self._inner.validate(authorization)
        return found


class _App(App):
    """The product's App, with a clock around its transactions."""

    clocks = _Clocks()

    @contextlib.contextmanager
    def transaction(self, *, reads_only: bool = False, tenant: int | None = None) -> Iterator[sa.Connection]:
        with self.clocks.running(WORK), super().transaction(reads_only=reads_only, tenant=tenant) as tx:
            yield tx


def run(bench: Bench, *, entries: int) -> list[Layered]:
    """Start and stop on a small database, and the month's report on a large one; both SQLite's."""
    measured, calls = [], int(CALLS_A_SECOND * bench.seconds)
    token = bench.directory.token(0)
    with _app(bench.directory, ground.empty(bench.sqlite, "layers")) as app:
        starting, stopping = _Operation(start_timer, token), _Operation(stop_timer, token)
        for number in range(WARM_UP + calls):
            keep = number >= WARM_UP
            body = f'{{"organization":"contoso","project":"Website","workItemId":{number + 1}}}'
            starting.call(app, "POST", "timers/start", body.encode(), keep=keep)
            stopping.call(app, "POST", "timers/stop", b"{}", keep=keep)
        measured += [starting.layered("start"), stopping.layered("stop")]
    bench.progress("layers", 0.5)
    with _app(bench.directory, bench.filled(bench.sqlite, entries)) as app:
        reporting = _Operation(get_month_report, token)
        for number in range(3 + max(10, calls // 20)):
            reporting.call(app, "GET", f"reports/month?month={REPORT_MONTH}", b"", keep=number >= 3)  # noqa: PLR2004
        measured.append(reporting.layered("month report"))
    bench.progress("layers", 1.0)
    return measured


class _Operation:
    """Calls one handler through the edge, and keeps what each layer took."""

    def __init__(self, handler: Handler, token: str) -> None:
        self._handler = handler
        self._operation = OPERATIONS[handler.__name__]
        self._token = token
        self._calls: list[dict[str, float]] = []

    def call(self, app: _App, method: str, path: str, body: bytes, *, keep: bool) -> None:
        request = HttpRequest(
            method,
            f"http://127.0.0.1:7071/api/{path}",
            headers={
                "authorization": f"Bearer {self._token}",
                "content-type": "application/json",
                "accept": "application/json",
                "idempotency-key": f"{random.getrandbits(128):032x}",
            },
            params=dict(parse_qsl(urlsplit(path).query)),
            body=body,
        )
        app.clocks.spent.clear()
        began = time.perf_counter()
        response: HttpResponse = respond(
            self._operation, self._handler, request, "00000000-0000-4000-8000-000000000000"
        )
        total = (time.perf_counter() - began) * 1e6
        if response.status_code not in {200, 201}:
            raise RuntimeError(f"{path}: {response.status_code} {response.get_body()!r}")
        if keep:
            self._calls.append(_apart(total, app.clocks.spent))

    def layered(self, name: str) -> Layered:
        typical = {layer: statistics.median(each[layer] for each in self._calls) for layer in LAYERS}
        return Layered(name, typical, len(self._calls))


def _apart(total: float, spent: Mapping[str, float]) -> dict[str, float]:
    """From clocks that include what they called to layers that add up to the total."""
    token, inside = spent[TOKEN], spent[WORK]
    statements, commit = spent[STATEMENTS], spent.get(COMMIT, 0.0)
    work = inside - statements - commit
    return {TOKEN: token, EDGE: total - token - inside, WORK: work, STATEMENTS: statements, COMMIT: commit}


@contextlib.contextmanager
def _app(directory: Directory, on: Ground) -> Iterator[_App]:
    from tools.bench.parts.start_stop import settings  # noqa: PLC0415 - one place knows the settings

    plain = build(Settings.from_env(settings(directory, on)))
    fields = {each.name: getattr(plain, each.name) for each in dataclasses.fields(plain) if each.init}
    app = _App(**{**fields, "validator": _Validator(plain.validator, _App.clocks)})
    event.listen(app.engine, "do_connect", _timed_connections(_App.clocks))
    try:
        with use(app):
            yield app
    finally:
        app.engine.dispose()


def _timed_connections(clocks: _Clocks) -> Callable[..., None]:
    """Makes the driver's connections tell how long the database itself took."""

    def timed(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: object, **named: object) -> Any:  # noqa: ANN401 - whatever the driver returns
            began = time.perf_counter()
            try:
                return verb(*arguments, **named)
            finally:
                clocks.add(name, began)

        return run

    verbs = ("execute", "executemany", "fetchone", "fetchmany", "fetchall")
    cursor = type(
        "Cursor", (sqlite3.Cursor,), {verb: timed(STATEMENTS, getattr(sqlite3.Cursor, verb)) for verb in verbs}
    )

    def cursor_of(self: sqlite3.Connection, factory: Any = cursor) -> Any:  # noqa: ANN401 - the driver's own
        return sqlite3.Connection.cursor(self, factory)

    connection = type(
        "Connection",
        (SqliteConnection,),
        {"cursor": cursor_of, "commit": timed(COMMIT, sqlite3.Connection.commit)},
    )

    def connect(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        options["factory"] = connection

    return connect
