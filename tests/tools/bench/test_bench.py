"""The bench checks every answer, fails where one is wrong or missing, and says whether each aim is met."""

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
from tools.bench.data.directory import directory
from tools.bench.load import peer_server, processes
from tools.bench.load.exchanges import Read, StartAndStop, WrongAnswer
from tools.bench.load.generator import Measured
from tools.bench.load.processes import Host
from tools.bench.load.rounds import LoadFailed, figures, load, ratio
from tools.bench.page import aim, replaced
from tools.bench.parts import closing, webhooks


command = typer.Typer()
command.command()(main)
READING = {"kind": "read", "path": "/", "token": "t", "expected": "{}"}


def talk():
    return StartAndStop(host="127.0.0.1:1", base="/api/timers", token="t", first_item=0)


def answered(**body):
    return json.dumps(body).encode()


def test_the_figures_are_of_all_rounds_and_a_start_and_a_stop_are_one_thing():
    fast = Measured(2.0, {"start": [1000.0], "stop": [3000.0]}, [], 0.002, 70.0)
    slow = Measured(2.0, {"start": [2000.0], "stop": [6000.0]}, [], 0.006, 80.0)
    found = figures([fast, slow])

    assert (found.p50, found.p99, found.rps, found.server_cpu_ms, found.server_rss_mb) == (3.0, 6.0, 1.0, 2.0, 80.0)
    assert str(ratio([fast, slow], [fast, fast])) == "1.50 (1.00 to 2.00)"
    assert aim("It takes", 2.0, 1.5, " s").endswith("the aim is 1.5 at most: **missed**.")


def test_start_and_stop_alternate_each_with_a_fresh_key():
    one = talk()
    start = one.request()
    names = [one.judge(201, answered(id="a", workItemId=1))]
    stop = one.request()
    names.append(one.judge(200, answered(id="a", workItemId=1)))

    assert names == ["start", "stop"]
    assert (start.split()[1], stop.split()[1]) == (b"/api/timers/start", b"/api/timers/stop")
    assert start.split(b"Idempotency-Key: ")[1][:36] != stop.split(b"Idempotency-Key: ")[1][:36]


@pytest.mark.parametrize(
    ("status", "body"), [(200, {"id": "a", "workItemId": 1}), (201, {"id": "a", "workItemId": 2}), (409, {"code": "x"})]
)
def test_a_wrong_answer_to_a_start_is_found_out(status, body):
    one = talk()
    one.request()

    with pytest.raises(WrongAnswer):
        one.judge(status, answered(**body))


def test_a_stop_must_answer_the_timer_that_was_started():
    one = talk()
    one.request()
    one.judge(201, answered(id="a", workItemId=1))
    one.request()

    with pytest.raises(WrongAnswer):
        one.judge(200, answered(id="b", workItemId=1))


def test_a_read_must_hold_what_is_expected_and_never_change():
    one = Read(host="127.0.0.1:1", path="/x", token="t", expected='"totalMs":7')
    with pytest.raises(WrongAnswer):
        one.judge(200, b'{"totalMs":8}')

    assert one.judge(200, b'{"totalMs":7}') == "read"
    with pytest.raises(WrongAnswer):
        one.judge(200, b'{"totalMs":7 }')


@contextlib.contextmanager
def pausing(seconds, *, forgets_the_fourth=False):
    """A server that takes `seconds` for each request; the fourth of a connection may stay without an answer."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            number = 0
            while connection.recv(65536):
                number += 1
                time.sleep(seconds)
                if not (forgets_the_fourth and number == 4):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[listening.accept()[0]], daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    yield Host(listening.getsockname()[1], os.getpid())
    listening.shutdown(socket.SHUT_RDWR)  # whoever waits in accept would wait on after a close alone
    accepting.join(20)
    listening.close()


def test_a_round_of_slow_answers_goes_on_until_there_are_some():
    with pausing(0.3) as slow:
        measured = load(slow, [READING], seconds=0.1, warm_up=0.0)

    assert measured.answers == 4
    assert min(measured.latencies["read"]) >= 300_000


def test_a_request_that_is_never_answered_fails_the_round():
    with pausing(0.01, forgets_the_fourth=True) as server, pytest.raises(LoadFailed, match=r"no answer in 0\.5 s"):
        load(server, [READING, READING], seconds=0.5, warm_up=0.0, drain=0.5)


def test_an_answer_that_is_wrong_in_the_warm_up_fails_the_round():
    wrong = {**READING, "expected": "something else"}

    with pausing(0.01) as server, pytest.raises(LoadFailed, match="wrong or missing: read: 200"):
        load(server, [wrong, READING], seconds=0.2, warm_up=0.2)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request, tmp_path_factory):
    if request.param == "sqlite":
        return engines.sqlite(tmp_path_factory.mktemp("bench"))
    return engines.postgresql(request.getfixturevalue("postgres_server"))


@pytest.fixture(scope="module")
def bench(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    sqlite = [] if engine.name == "SQLite" else [engines.sqlite(folder)]
    with directory() as issuing:
        yield Bench(issuing, folder, [engine, *sqlite], 1, 0.2, 2_000, lambda _step, _done: None)


def test_every_engine_is_filled_with_the_same_rows_and_keeps_its_indexes(bench, engine):
    made = database.filled(bench, engine, 2_000)
    connected = sa.create_engine(made.url)
    inspector = sa.inspect(connected)
    indexes = {name: {index["name"] for index in inspector.get_indexes(name)} for name in rows.COLUMNS}
    connected.dispose()
    of_june = [int(day[7]) for _, day in rows.rows(2_000) if day[3] == 202606]

    assert made.total("2026-06") == (len(of_june), sum(of_june))
    assert made.total("202")[0] == 2_000
    assert all({index.name for index in metadata.tables[name].indexes} <= indexes[name] for name in rows.COLUMNS)


TOLD = {
    "start-stop": "| **ours** | 8 |",
    "peer": "| a month of 85 | 1 | TimeTagger |",
    "months": "| by work item | {engine} | 4 |",
    "closing": "| {engine} | 20 | 400 |",
    "webhooks": "| {engine} | 20 |",
    "starts": "| sqlalchemy |",
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PARTS)
def test_each_part_measures_every_engine_it_is_about_on_little_data(bench, engine, name):
    if engine.name == "PostgreSQL" and name in {"start-stop", "peer", "starts"}:
        pytest.skip("it is about SQLite, or about no database")
    found = PARTS[name](replace(bench, engines=[engine]))
    text = found.markdown("scripts/bench", [engine.version])

    assert TOLD[name].format(engine=engine.name) in text
    assert found.verdicts
    assert replaced(PAGE.read_text(), name, text).count("<!-- measured:") == len(PARTS)


def test_a_month_that_is_not_closed_for_everybody_fails_the_part():
    closing.require_complete(closing.Closed(2, 40, 1.0, 1.0, 80.0, 81.0, 0.0), 2)

    with pytest.raises(LoadFailed, match="1 bills with 40 lines for 2 tenants of 20 people"):
        closing.require_complete(closing.Closed(1, 40, 1.0, 1.0, 80.0, 81.0, 0.0), 2)


@contextlib.contextmanager
def answering(status):
    """A server that does nothing, and answers that status to whatever is posted."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield Host(server.server_port, os.getpid())
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "told"), [(500, r"3 calls .* answered \[500\]"), (200, "kept 0 of 3 changes")])
def test_a_webhook_that_answers_wrongly_or_keeps_nothing_fails_the_part(bench, status, told):
    with marketplace.running(bench.directory) as sold, answering(status) as wrong:
        given = {"plan": "seats", "quantity": 1, "active": True}
        customers = [sold.admin.carry_out("POST buy", given)["subscription"] for _ in range(3)]

        with pytest.raises(LoadFailed, match=told):
            webhooks.change_seats(sold, customers, wrong, database.empty(bench.sqlite, "wrong"), 2)


def test_the_peak_of_a_process_is_forgotten_on_request():
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


def test_only_the_part_that_was_measured_is_written_anew():
    page = "x\n<!-- measured: a -->\nold\n<!-- end -->\ny\n<!-- measured: b -->\nold\n<!-- end -->\n"

    assert replaced(page, "b", "new") == page.replace("b -->\nold\n", "b -->\n\nnew\n\n")
    with pytest.raises(KeyError):
        replaced(page, "c", "new")


@pytest.mark.parametrize(("words", "told"), [(["x"], "no such part"), (["--quick", "--write"], "no measurement")])
def test_a_wrong_part_and_a_page_of_a_smoke_run_are_refused(words, told, installs):
    refused = CliRunner().invoke(command, words)

    assert refused.exit_code == 2
    assert told in refused.output
    assert installs == []


@pytest.fixture
def installs(monkeypatch):
    """How the peer would be installed; there is no network."""
    asked: list[tuple[str, ...]] = []

    def run(words: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(peer_server, "subprocess", SimpleNamespace(run=run))
    return asked


def test_a_run_that_measures_the_peer_installs_it_first_and_ends_where_it_cannot(installs):
    ended = CliRunner().invoke(command, ["start-stop", "peer"])

    assert ended.exit_code == 1
    assert "bench: TimeTagger, which is measured beside ours, could not be installed" in ended.output
    assert installs == [("scripts/venv", "requirements-peer.txt", ".venv-peer")]
