"""The benchmark checks every response, fails for a wrong or missing one, and gives a verdict per aim."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner

from shared.db.schema import metadata
from tools.bench.__main__ import PAGE, PARTS, main
from tools.bench.bench import Bench
from tools.bench.data import database, engines, marketplace, rows
from tools.bench.data.directory import start_directory
from tools.bench.load import peer_server, processes
from tools.bench.load.exchanges import RepeatedRead, StartAndStop, WrongResponse
from tools.bench.load.generator import Measurement
from tools.bench.load.processes import Host
from tools.bench.load.rounds import LoadFailed, build_figures, build_ratio, run_load
from tools.bench.page import build_verdict, replace_part
from tools.bench.parts import closing, webhooks


command = typer.Typer()
command.command()(main)
READ = {"kind": "read", "path": "/", "token": "t", "expected": "{}"}


def build_exchange():
    return StartAndStop(host="127.0.0.1:1", base="/api/timers", token="t", first_item=0)


def build_body(**body):
    return json.dumps(body).encode()


def test_figures_are_of_all_rounds_and_add_start_and_stop():
    fast = Measurement(2.0, {"start": [1000.0], "stop": [3000.0]}, [], 0.002, 70.0)
    slow = Measurement(2.0, {"start": [2000.0], "stop": [6000.0]}, [], 0.006, 80.0)
    result = build_figures([fast, slow])

    assert (result.p50, result.p99, result.rps, result.server_cpu_ms, result.server_rss_mb) == (
        3.0,
        6.0,
        1.0,
        2.0,
        80.0,
    )
    assert str(build_ratio([fast, slow], [fast, fast])) == "1.50 (1.00 to 2.00)"
    assert build_verdict("It takes", 2.0, 1.5, " s").endswith("the aim is 1.5 at most: **missed**.")


def test_start_and_stop_alternate_with_new_keys():
    one = build_exchange()
    start = one.request()
    names = [one.check(201, build_body(id="a", workItemId=1))]
    stop = one.request()
    names.append(one.check(200, build_body(id="a", workItemId=1)))

    assert names == ["start", "stop"]
    assert (start.split()[1], stop.split()[1]) == (b"/api/timers/start", b"/api/timers/stop")
    assert start.split(b"Idempotency-Key: ")[1][:36] != stop.split(b"Idempotency-Key: ")[1][:36]


@pytest.mark.parametrize(
    ("status", "body"), [(200, {"id": "a", "workItemId": 1}), (201, {"id": "a", "workItemId": 2}), (409, {"code": "x"})]
)
def test_a_wrong_response_to_a_start_is_found(status, body):
    one = build_exchange()
    one.request()

    with pytest.raises(WrongResponse):
        one.check(status, build_body(**body))


def test_a_stop_must_return_the_started_timer():
    one = build_exchange()
    one.request()
    one.check(201, build_body(id="a", workItemId=1))
    one.request()

    with pytest.raises(WrongResponse):
        one.check(200, build_body(id="b", workItemId=1))


def test_a_repeated_read_must_contain_the_expected_text_and_never_change():
    one = RepeatedRead(host="127.0.0.1:1", path="/x", token="t", expected='"totalMs":7')
    with pytest.raises(WrongResponse):
        one.check(200, b'{"totalMs":8}')

    assert one.check(200, b'{"totalMs":7}') == "read"
    with pytest.raises(WrongResponse):
        one.check(200, b'{"totalMs":7 }')


@contextlib.contextmanager
def start_slow_server(seconds, *, ignores_the_fourth=False):
    """A server that takes `seconds` per request, and may ignore the fourth of a connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            number = 0
            while connection.recv(65536):
                number += 1
                time.sleep(seconds)
                if not (ignores_the_fourth and number == 4):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[listening.accept()[0]], daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    yield Host(listening.getsockname()[1], os.getpid())
    listening.shutdown(socket.SHUT_RDWR)  # a close alone does not end accept
    accepting.join(20)
    listening.close()


def test_a_round_of_slow_responses_lasts_until_there_are_enough():
    with start_slow_server(0.3) as slow:
        measured = run_load(slow, [READ], seconds=0.1, warm_up=0.0)

    assert measured.response_count == 4
    assert min(measured.latencies["read"]) >= 300_000


def test_a_missing_response_fails_the_round():
    with (
        start_slow_server(0.01, ignores_the_fourth=True) as server,
        pytest.raises(LoadFailed, match=r"no response in 0\.5 s"),
    ):
        run_load(server, [READ, READ], seconds=0.5, warm_up=0.0, drain=0.5)


def test_a_wrong_response_in_the_warm_up_fails_the_round():
    wrong = {**READ, "expected": "something else"}

    with start_slow_server(0.01) as server, pytest.raises(LoadFailed, match="wrong or missing: read: 200"):
        run_load(server, [wrong, READ], seconds=0.2, warm_up=0.2)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request, tmp_path_factory):
    if request.param == "sqlite":
        return engines.sqlite(tmp_path_factory.mktemp("bench"))
    return engines.postgresql(request.getfixturevalue("postgres_server"))


@pytest.fixture(scope="module")
def bench(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    sqlite = [] if engine.name == "SQLite" else [engines.sqlite(folder)]
    with start_directory() as entra:
        yield Bench(entra, folder, [engine, *sqlite], 1, 0.2, 2_000, lambda _step, _done: None)


def test_every_engine_has_the_same_rows_and_its_indexes(bench, engine):
    filled = database.create_filled(bench, engine, 2_000)
    db_engine = sa.create_engine(filled.url)
    inspector = sa.inspect(db_engine)
    indexes = {name: {index["name"] for index in inspector.get_indexes(name)} for name in rows.COLUMNS}
    db_engine.dispose()
    of_june = [int(day[7]) for _, day in rows.rows(2_000) if day[3] == 202606]

    assert filled.total("2026-06") == (len(of_june), sum(of_june))
    assert filled.total("202")[0] == 2_000
    assert all({index.name for index in metadata.tables[name].indexes} <= indexes[name] for name in rows.COLUMNS)


EXPECTED = {
    "start-stop": "| **ours** | 8 |",
    "peer": "| a month of 85 | 1 | TimeTagger |",
    "months": "| by work item | {engine} | 4 |",
    "closing": "| {engine} | 20 | 400 |",
    "webhooks": "| {engine} | 20 |",
    "starts": "| sqlalchemy |",
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PARTS)
def test_each_part_measures_its_engines_with_few_rows(bench, engine, name):
    if engine.name == "PostgreSQL" and name in {"start-stop", "peer", "starts"}:
        pytest.skip("this part is not about PostgreSQL")
    result = PARTS[name](replace(bench, engines=[engine]))
    text = result.markdown("scripts/bench", [engine.version])

    assert EXPECTED[name].format(engine=engine.name) in text
    assert result.verdicts
    assert replace_part(PAGE.read_text(), name, text).count("<!-- measured:") == len(PARTS)


def test_a_month_without_all_bills_fails_the_part():
    closing.require_complete(closing.ClosingRun(2, 40, 1.0, 1.0, 80.0, 81.0, 0.0), 2)

    with pytest.raises(LoadFailed, match="1 bills with 40 lines for 2 tenants of 20 people"):
        closing.require_complete(closing.ClosingRun(1, 40, 1.0, 1.0, 80.0, 81.0, 0.0), 2)


@contextlib.contextmanager
def start_failing_server(status):
    """A server that returns the status for every POST."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """No log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield Host(server.server_port, os.getpid())
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "expected"), [(500, r"3 webhook calls returned \[500\]"), (200, "stored 0 of 3 changes")]
)
def test_a_webhook_that_fails_or_stores_nothing_fails_the_part(bench, status, expected):
    with marketplace.start_marketplace(bench.directory) as emulator, start_failing_server(status) as wrong:
        order = {"plan": "seats", "quantity": 1, "active": True}
        subscriptions = [emulator.admin.execute("POST buy", order)["subscription"] for _ in range(3)]

        with pytest.raises(LoadFailed, match=expected):
            webhooks.change_seats(emulator, subscriptions, wrong, database.create_empty(bench.sqlite, "wrong"), 2)


def test_the_memory_peak_of_a_process_can_be_reset():
    taking = "b = bytearray(60 * 2**20); del b; print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", taking], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = processes.peak_mb([process.pid])
        processes.reset_peak([process.pid])
        after = processes.peak_mb([process.pid])
        process.communicate(b"\n")

    assert before > 60
    assert after < before - 50


def test_only_the_measured_part_is_replaced():
    page = "x\n<!-- measured: a -->\nold\n<!-- end -->\ny\n<!-- measured: b -->\nold\n<!-- end -->\n"

    assert replace_part(page, "b", "new") == page.replace("b -->\nold\n", "b -->\n\nnew\n\n")
    with pytest.raises(KeyError):
        replace_part(page, "c", "new")


@pytest.mark.parametrize(
    ("words", "expected"), [(["x"], "unknown part"), (["--quick", "--write"], "not a measurement")]
)
def test_an_unknown_part_and_the_page_of_a_smoke_run_are_refused(words, expected, install_commands):
    refused = CliRunner().invoke(command, words)

    assert refused.exit_code == 2
    assert expected in refused.output
    assert install_commands == []


@pytest.fixture
def install_commands(monkeypatch):
    """Records the commands that install the peer, without a network."""
    commands: list[tuple[str, ...]] = []

    def run(words: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(words)
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(peer_server, "subprocess", SimpleNamespace(run=run))
    return commands


def test_a_run_of_the_peer_installs_it_first_and_ends_if_that_fails(install_commands):
    ended = CliRunner().invoke(command, ["start-stop", "peer"])

    assert ended.exit_code == 1
    assert "bench: TimeTagger, the peer, could not be installed" in ended.output
    assert install_commands == [("scripts/venv", "requirements-peer.txt", ".venv-peer")]
